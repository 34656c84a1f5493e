// SPDX-License-Identifier: Apache-2.0
// What nvcc 13 made of ptx-check/hopper.cu, without comments.
#pragma once

inline constexpr char HOPPER_GEMM[] = R"ptx(
.version 9.0
.target sm_90a
.address_size 64
.extern .shared .align 1024 .b8 tiles[];
.visible .entry hopper_gemm(
.param .align 8 .b8 hopper_gemm_param_0[32]
)
.maxntid 128, 1, 1
{
.reg .pred %p<7>;
.reg .f32 %f<481>;
.reg .b32 %r<116>;
.reg .b64 %rd<45>;
.shared .align 8 .u64 _ZZ11hopper_gemmE4full;
ld.param.v2.u32 {%r10, %r11}, [hopper_gemm_param_0+24];
ld.param.u64 %rd4, [hopper_gemm_param_0];
mov.u32 %r12, %tid.x;
setp.ne.s32 %p1, %r12, 0;
@%p1 bra $L__BB0_2;
mov.u32 %r13, _ZZ11hopper_gemmE4full;
mov.u32 %r14, 128;
mbarrier.init.shared::cta.b64 [%r13], %r14;
fence.proxy.async.shared::cta;
$L__BB0_2:
bar.sync 0;
setp.lt.s32 %p2, %r11, 1;
mov.f32 %f417, 0f00000000;
mov.f32 %f418, %f417;
mov.f32 %f419, %f417;
mov.f32 %f420, %f417;
mov.f32 %f421, %f417;
mov.f32 %f422, %f417;
mov.f32 %f423, %f417;
mov.f32 %f424, %f417;
mov.f32 %f425, %f417;
mov.f32 %f426, %f417;
mov.f32 %f427, %f417;
mov.f32 %f428, %f417;
mov.f32 %f429, %f417;
mov.f32 %f430, %f417;
mov.f32 %f431, %f417;
mov.f32 %f432, %f417;
mov.f32 %f433, %f417;
mov.f32 %f434, %f417;
mov.f32 %f435, %f417;
mov.f32 %f436, %f417;
mov.f32 %f437, %f417;
mov.f32 %f438, %f417;
mov.f32 %f439, %f417;
mov.f32 %f440, %f417;
mov.f32 %f441, %f417;
mov.f32 %f442, %f417;
mov.f32 %f443, %f417;
mov.f32 %f444, %f417;
mov.f32 %f445, %f417;
mov.f32 %f446, %f417;
mov.f32 %f447, %f417;
mov.f32 %f448, %f417;
@%p2 bra $L__BB0_10;
cvta.to.global.u64 %rd1, %rd4;
mov.u32 %r114, 0;
mov.f32 %f417, 0f00000000;
add.s32 %r3, %r12, -128;
$L__BB0_4:
setp.gt.s32 %p3, %r12, 511;
@%p3 bra $L__BB0_7;
cvt.s64.s32 %rd3, %r114;
mov.u32 %r115, %r3;
$L__BB0_6:
.pragma "nounroll";
ld.param.u64 %rd43, [hopper_gemm_param_0+8];
add.s32 %r115, %r115, 128;
shr.s32 %r20, %r115, 31;
shr.u32 %r21, %r20, 29;
add.s32 %r22, %r115, %r21;
shr.s32 %r23, %r22, 3;
and.b32 %r24, %r22, -8;
sub.s32 %r25, %r115, %r24;
shl.b32 %r26, %r25, 10;
mov.u32 %r27, tiles;
add.s32 %r28, %r26, %r27;
shr.u32 %r29, %r20, 26;
add.s32 %r30, %r115, %r29;
shl.b32 %r31, %r30, 1;
and.b32 %r32, %r31, -128;
add.s32 %r33, %r28, %r32;
shr.s32 %r34, %r22, 31;
shr.u32 %r35, %r34, 29;
add.s32 %r36, %r23, %r35;
and.b32 %r37, %r36, -8;
sub.s32 %r38, %r23, %r37;
shl.b32 %r39, %r38, 4;
add.s32 %r40, %r33, %r39;
add.s32 %r18, %r40, 8192;
mov.u32 %r41, %ctaid.x;
shl.b32 %r42, %r41, 6;
add.s32 %r43, %r23, %r42;
mul.wide.s32 %rd8, %r43, %r11;
shl.b32 %r44, %r25, 3;
cvt.s64.s32 %rd9, %r44;
add.s64 %rd10, %rd9, %rd3;
add.s64 %rd11, %rd10, %rd8;
shl.b64 %rd12, %rd11, 1;
add.s64 %rd7, %rd43, %rd12;
mov.u32 %r19, _ZZ11hopper_gemmE4full;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r18], [%rd7], 16, [%r19];
mov.u32 %r45, %ctaid.y;
shl.b32 %r46, %r45, 6;
add.s32 %r47, %r23, %r46;
mul.wide.s32 %rd13, %r47, %r11;
add.s64 %rd14, %rd10, %rd13;
shl.b64 %rd15, %rd14, 1;
add.s64 %rd16, %rd1, %rd15;
shl.b32 %r48, %r23, 7;
xor.b32 %r49, %r38, %r25;
shl.b32 %r50, %r49, 4;
add.s32 %r51, %r50, %r48;
add.s32 %r52, %r27, %r51;
ld.global.v4.u32 {%r53, %r54, %r55, %r56}, [%rd16];
st.shared.v4.u32 [%r52], {%r53, %r54, %r55, %r56};
setp.lt.s32 %p4, %r115, 384;
@%p4 bra $L__BB0_6;
$L__BB0_7:
mov.u32 %r61, _ZZ11hopper_gemmE4full;
mov.u32 %r62, 64;
mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r61], %r62;
fence.proxy.async.shared::cta;
bar.sync 0;
shr.u32 %r63, %r114, 6;
and.b32 %r6, %r63, 1;
$L__BB0_8:
{
.reg .pred p;
mbarrier.try_wait.parity.shared::cta.b64 p, [%r61], %r6;
selp.b32 %r64, 1, 0, p;
}
setp.eq.s32 %p5, %r64, 0;
@%p5 bra $L__BB0_8;
wgmma.fence.sync.aligned;
mov.u32 %r67, tiles;
shr.u32 %r68, %r67, 4;
and.b32 %r69, %r68, 16382;
cvt.u64.u32 %rd25, %r69;
or.b64 %rd17, %rd25, 4611686293305360384;
add.s32 %r70, %r67, 8192;
shr.u32 %r71, %r70, 4;
and.b32 %r72, %r71, 16320;
cvt.u64.u32 %rd26, %r72;
or.b64 %rd18, %rd26, 34363932672;
wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%f448, %f447, %f446, %f445, %f444, %f443, %f442, %f441, %f440, %f439,
%f438, %f437, %f436, %f435, %f434, %f433, %f432, %f431, %f430, %f429, %f428, %f427, %f426, %f425, %f424, %f423, %f422, %f421,
%f420, %f419, %f418, %f417}, %rd17, %rd18, 1, 1, 1, 0, 0;
add.s32 %r73, %r67, 32;
shr.u32 %r74, %r73, 4;
and.b32 %r75, %r74, 16382;
cvt.u64.u32 %rd27, %r75;
or.b64 %rd19, %rd27, 4611686293305360384;
add.s32 %r76, %r67, 10240;
shr.u32 %r77, %r76, 4;
and.b32 %r78, %r77, 16320;
cvt.u64.u32 %rd28, %r78;
or.b64 %rd20, %rd28, 34363932672;
wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%f448, %f447, %f446, %f445, %f444, %f443, %f442, %f441, %f440, %f439,
%f438, %f437, %f436, %f435, %f434, %f433, %f432, %f431, %f430, %f429, %f428, %f427, %f426, %f425, %f424, %f423, %f422, %f421,
%f420, %f419, %f418, %f417}, %rd19, %rd20, 1, 1, 1, 0, 0;
add.s32 %r79, %r67, 64;
shr.u32 %r80, %r79, 4;
and.b32 %r81, %r80, 16382;
cvt.u64.u32 %rd29, %r81;
or.b64 %rd21, %rd29, 4611686293305360384;
add.s32 %r82, %r67, 12288;
shr.u32 %r83, %r82, 4;
and.b32 %r84, %r83, 16320;
cvt.u64.u32 %rd30, %r84;
or.b64 %rd22, %rd30, 34363932672;
wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%f448, %f447, %f446, %f445, %f444, %f443, %f442, %f441, %f440, %f439,
%f438, %f437, %f436, %f435, %f434, %f433, %f432, %f431, %f430, %f429, %f428, %f427, %f426, %f425, %f424, %f423, %f422, %f421,
%f420, %f419, %f418, %f417}, %rd21, %rd22, 1, 1, 1, 0, 0;
add.s32 %r85, %r67, 96;
shr.u32 %r86, %r85, 4;
and.b32 %r87, %r86, 16382;
cvt.u64.u32 %rd31, %r87;
or.b64 %rd23, %rd31, 4611686293305360384;
add.s32 %r88, %r67, 14336;
shr.u32 %r89, %r88, 4;
and.b32 %r90, %r89, 16320;
cvt.u64.u32 %rd32, %r90;
or.b64 %rd24, %rd32, 34363932672;
wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%f448, %f447, %f446, %f445, %f444, %f443, %f442, %f441, %f440, %f439,
%f438, %f437, %f436, %f435, %f434, %f433, %f432, %f431, %f430, %f429, %f428, %f427, %f426, %f425, %f424, %f423, %f422, %f421,
%f420, %f419, %f418, %f417}, %rd23, %rd24, 1, 1, 1, 0, 0;
wgmma.commit_group.sync.aligned;
wgmma.wait_group.sync.aligned 0;
bar.sync 0;
add.s32 %r114, %r114, 64;
setp.lt.s32 %p6, %r114, %r11;
@%p6 bra $L__BB0_4;
$L__BB0_10:
ld.param.u64 %rd44, [hopper_gemm_param_0+16];
cvta.to.global.u64 %rd33, %rd44;
shr.s32 %r92, %r12, 31;
shr.u32 %r93, %r92, 27;
add.s32 %r94, %r12, %r93;
shr.s32 %r95, %r94, 5;
and.b32 %r96, %r94, -32;
sub.s32 %r97, %r12, %r96;
shl.b32 %r98, %r95, 4;
mov.u32 %r99, %ctaid.y;
shl.b32 %r100, %r99, 6;
add.s32 %r101, %r98, %r100;
shr.s32 %r102, %r97, 31;
shr.u32 %r103, %r102, 30;
add.s32 %r104, %r97, %r103;
shr.s32 %r105, %r104, 2;
add.s32 %r106, %r101, %r105;
and.b32 %r107, %r104, 2147483644;
sub.s32 %r108, %r97, %r107;
shl.b32 %r109, %r108, 1;
mov.u32 %r110, %ctaid.x;
shl.b32 %r111, %r110, 6;
add.s32 %r112, %r109, %r111;
mul.wide.s32 %rd34, %r106, %r10;
cvt.s64.s32 %rd35, %r112;
add.s64 %rd36, %rd34, %rd35;
shl.b64 %rd37, %rd36, 2;
add.s64 %rd38, %rd33, %rd37;
st.global.f32 [%rd38], %f448;
st.global.f32 [%rd38+4], %f447;
add.s32 %r113, %r106, 8;
mul.wide.s32 %rd39, %r113, %r10;
add.s64 %rd40, %rd39, %rd35;
shl.b64 %rd41, %rd40, 2;
add.s64 %rd42, %rd33, %rd41;
st.global.f32 [%rd42], %f446;
st.global.f32 [%rd42+4], %f445;
st.global.f32 [%rd38+32], %f444;
st.global.f32 [%rd38+36], %f443;
st.global.f32 [%rd42+32], %f442;
st.global.f32 [%rd42+36], %f441;
st.global.f32 [%rd38+64], %f440;
st.global.f32 [%rd38+68], %f439;
st.global.f32 [%rd42+64], %f438;
st.global.f32 [%rd42+68], %f437;
st.global.f32 [%rd38+96], %f436;
st.global.f32 [%rd38+100], %f435;
st.global.f32 [%rd42+96], %f434;
st.global.f32 [%rd42+100], %f433;
st.global.f32 [%rd38+128], %f432;
st.global.f32 [%rd38+132], %f431;
st.global.f32 [%rd42+128], %f430;
st.global.f32 [%rd42+132], %f429;
st.global.f32 [%rd38+160], %f428;
st.global.f32 [%rd38+164], %f427;
st.global.f32 [%rd42+160], %f426;
st.global.f32 [%rd42+164], %f425;
st.global.f32 [%rd38+192], %f424;
st.global.f32 [%rd38+196], %f423;
st.global.f32 [%rd42+192], %f422;
st.global.f32 [%rd42+196], %f421;
st.global.f32 [%rd38+224], %f420;
st.global.f32 [%rd38+228], %f419;
st.global.f32 [%rd42+224], %f418;
st.global.f32 [%rd42+228], %f417;
ret;
}
)ptx";
