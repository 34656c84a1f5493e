// The part of GoogleTest that the kernel tests use, for boxes without it: the Makefile puts this directory on the include
// path only there. Tests register themselves; failures are printed as they happen and counted.
#pragma once
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace testing {

class Test {
  public:
    virtual ~Test() = default;
    virtual void SetUp() {}
    virtual void TearDown() {}
    virtual void TestBody() = 0;
    static bool HasFailure();
};

namespace internal {

struct TestInfo {
    std::string name;
    std::function<std::unique_ptr<Test>()> create;
};

inline std::vector<TestInfo>& tests() {
    static std::vector<TestInfo> all;
    return all;
}

inline bool failed, skipped;

struct Registration {
    Registration(const char* suite, const char* name, std::function<std::unique_ptr<Test>()> create) {
        tests().push_back({std::string(suite) + "." + name, std::move(create)});
    }
};

// What a failed assertion streams into; it tells when it is destroyed.
class Message {
  public:
    enum Kind { FAILURE, SKIP };
    Message(Kind kind, const char* file, int line, const std::string& what) : kind_(kind) {
        text_ << file << ":" << line << ": " << what;
    }
    ~Message() {
        (kind_ == SKIP ? skipped : failed) = true;
        printf("%s\n", text_.str().c_str());
    }
    template <class T>
    Message& operator<<(const T& value) {
        text_ << (any_ ? "" : ": ") << value;
        any_ = true;
        return *this;
    }

  private:
    Kind kind_;
    bool any_ = false;
    std::ostringstream text_;
};

// Gives a message in an expression that returns from a void function.
struct Returns {
    void operator=(const Message&) const {}
};

template <class T>
std::string text(const T& value) {
    std::ostringstream out;
    if constexpr (requires { out << value; }) {
        out << value;
    } else {
        out << "(" << sizeof(T) << " bytes)";
    }
    return out.str();
}

template <class A, class B>
std::string compared(const char* a_text, const char* operation, const char* b_text, const A& a, const B& b) {
    return std::string("expected ") + a_text + " " + operation + " " + b_text + ", got " + text(a) + " and " + text(b);
}

// Whether a name fits patterns of * and ?, separated by colons, of which those after a minus sign exclude.
inline bool fits(const char* pattern, const char* name) {
    switch (*pattern) {
        case 0: case ':': case '-': return *name == 0;
        case '?': return *name && fits(pattern + 1, name + 1);
        case '*': return fits(pattern + 1, name) || (*name && fits(pattern, name + 1));
        default: return *pattern == *name && fits(pattern + 1, name + 1);
    }
}

inline bool fits_any(const std::string& patterns, const std::string& name) {
    for (size_t at = 0; at != std::string::npos; at = patterns.find(':', at)) {
        at += patterns[at] == ':';
        if (fits(patterns.c_str() + at, name.c_str())) {
            return true;
        }
    }
    return false;
}

inline int run_all(int argc, char** argv) {
    std::string filter = "*", without;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--gtest_filter=", 15) == 0) {
            filter = argv[i] + 15;
        }
    }
    if (const size_t minus = filter.find('-'); minus != std::string::npos) {
        without = filter.substr(minus + 1);
        filter = minus == 0 ? "*" : filter.substr(0, minus);
    }
    int passed_count = 0, skipped_count = 0;
    std::vector<std::string> failures;
    for (const TestInfo& info : tests()) {
        if (!fits_any(filter, info.name) || (!without.empty() && fits_any(without, info.name))) {
            continue;
        }
        failed = skipped = false;
        std::unique_ptr<Test> test = info.create();
        test->SetUp();
        if (!failed && !skipped) {
            test->TestBody();
        }
        test->TearDown();
        test.reset();
        if (failed) {
            failures.push_back(info.name);
            printf("[  FAILED  ] %s\n", info.name.c_str());
        } else {
            (skipped ? skipped_count : passed_count)++;
        }
        fflush(stdout);
    }
    printf("[  PASSED  ] %d tests.\n", passed_count);
    if (skipped_count) printf("[  SKIPPED ] %d tests.\n", skipped_count);
    if (!failures.empty()) printf("[  FAILED  ] %zu tests.\n", failures.size());
    return failures.empty() ? 0 : 1;
}

}  // namespace internal

inline bool Test::HasFailure() { return internal::failed; }
inline void InitGoogleTest(int*, char**) {}

}  // namespace testing

#define TEST_CLASS_(suite, name, base)                                                                          \
    class suite##_##name##_Test : public base {                                                                 \
        void TestBody() override;                                                                               \
    };                                                                                                          \
    static const ::testing::internal::Registration suite##_##name##_registration(                               \
        #suite, #name, [] { return std::unique_ptr<::testing::Test>(new suite##_##name##_Test); });             \
    void suite##_##name##_Test::TestBody()
#define TEST(suite, name) TEST_CLASS_(suite, name, ::testing::Test)
#define TEST_F(suite, name) TEST_CLASS_(suite, name, suite)

#define MESSAGE_(kind, what) ::testing::internal::Message(::testing::internal::Message::kind, __FILE__, __LINE__, what)
#define ONE_STATEMENT_ switch (0) case 0: default:  // so that an else before or after it is not taken for its own
#define CHECK_(condition, what, leave) \
    ONE_STATEMENT_                     \
    if (condition) {                   \
    } else                             \
        leave MESSAGE_(FAILURE, what)
#define COMPARE_(a, operation, b, leave)                                                       \
    ONE_STATEMENT_                                                                             \
    if (const auto [a_value, b_value] = std::make_tuple(a, b); a_value operation b_value) {    \
    } else                                                                                     \
        leave MESSAGE_(FAILURE, ::testing::internal::compared(#a, #operation, #b, a_value, b_value))
#define LEAVE_ return ::testing::internal::Returns() =
#define EXPECT_TRUE(condition) CHECK_(condition, "expected " #condition, )
#define EXPECT_FALSE(condition) CHECK_(!(condition), "expected not " #condition, )
#define EXPECT_EQ(a, b) COMPARE_(a, ==, b, )
#define EXPECT_NE(a, b) COMPARE_(a, !=, b, )
#define EXPECT_LT(a, b) COMPARE_(a, <, b, )
#define EXPECT_LE(a, b) COMPARE_(a, <=, b, )
#define EXPECT_GT(a, b) COMPARE_(a, >, b, )
#define EXPECT_GE(a, b) COMPARE_(a, >=, b, )
#define EXPECT_NEAR(a, b, tolerance) NEAR_(a, b, tolerance, )
#define EXPECT_STREQ(a, b) EXPECT_EQ(std::string(a), std::string(b))
#define ASSERT_TRUE(condition) CHECK_(condition, "expected " #condition, LEAVE_)
#define ASSERT_FALSE(condition) CHECK_(!(condition), "expected not " #condition, LEAVE_)
#define ASSERT_EQ(a, b) COMPARE_(a, ==, b, LEAVE_)
#define ASSERT_NE(a, b) COMPARE_(a, !=, b, LEAVE_)
#define ASSERT_LT(a, b) COMPARE_(a, <, b, LEAVE_)
#define ASSERT_LE(a, b) COMPARE_(a, <=, b, LEAVE_)
#define ASSERT_GT(a, b) COMPARE_(a, >, b, LEAVE_)
#define ASSERT_GE(a, b) COMPARE_(a, >=, b, LEAVE_)
#define ASSERT_NEAR(a, b, tolerance) NEAR_(a, b, tolerance, LEAVE_)
#define NEAR_(a, b, tolerance, leave)                                                                        \
    ONE_STATEMENT_                                                                                           \
    if (const double near_a = a, near_b = b; std::abs(near_a - near_b) <= double(tolerance)) {               \
    } else                                                                                                   \
        leave MESSAGE_(FAILURE, ::testing::internal::compared(#a, "near", #b, near_a, near_b))
#define ADD_FAILURE() MESSAGE_(FAILURE, "failed")
#define FAIL() LEAVE_ MESSAGE_(FAILURE, "failed")
#define GTEST_SKIP() LEAVE_ MESSAGE_(SKIP, "skipped")
#define SUCCEED()
#define SCOPED_TRACE(what)
