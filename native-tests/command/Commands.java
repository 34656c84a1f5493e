package org.fovea.cli;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Runs the commands that it is given line by line, their arguments separated by tabs, in one virtual machine. */
public final class Commands {
    private Commands() {}

    /** Answers each line with one: the exit code, a tab, and what the command had to complain about. */
    public static void main(String[] none) throws IOException {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ByteArrayOutputStream complaints = new ByteArrayOutputStream();
            PrintStream err = new PrintStream(complaints, true, StandardCharsets.UTF_8);
            int code = Fovea.run(new Terminal(err, err, 0), line.split("\t", -1));
            answers.println(code + "\t" + complaints.toString(StandardCharsets.UTF_8).strip().replace('\n', '|'));
        }
    }
}
