// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * How the ranks of a run come together. All but rank 0 connect to it and say who they are; once all are there and agree, it tells each
 * where the others listen, and they connect among themselves. Nobody listens after that.
 */
final class Meeting implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(Meeting.class.getName());

    /** What one that connects has time for before the next in the queue. */
    private static final int ADMISSION_MILLIS = 2_000;

    private static final int RETRY_MILLIS = 100;

    /** Clocks that differ by more are worth a word: files of the run are dated by them. */
    private static final long CLOCK_MILLIS = 5_000;

    private final RankSettings settings;
    private final Map<String, String> agreed;
    private final Patience patience;
    private final Admission admission;
    private long deadline;
    private final List<AutoCloseable> opened = new ArrayList<>();
    private boolean held;
    private String refused = "";

    Meeting(RankSettings settings, Map<String, String> agreed, Patience patience) {
        this.settings = settings;
        this.agreed = agreed;
        this.patience = patience;
        this.admission = new Admission(settings.token());
        this.deadline = System.nanoTime() + patience.meetingMillis() * 1_000_000L;
    }

    /** A connection past its admission, and the words on it; still blocking. */
    private record Line(SocketChannel channel, DataInputStream in, DataOutputStream out) {}

    /** Where a rank waits for connections of higher ones. */
    private record Place(InetAddress address, int port) {}

    /** What a meeting comes to; links by rank at the other end. */
    record Connections(List<PeerChannel> peers, Map<Integer, Line> control) {
        List<ControlLink> links(int silenceMillis, Consumer<String> failed) {
            List<ControlLink> links = new ArrayList<>();
            control.forEach((rank, line) ->
                    links.add(new ControlLink(rank, line.channel.socket(), line.in, line.out, silenceMillis, failed)));
            return links;
        }
    }

    Connections hold() throws IOException {
        InetAddress master = masterAddress();
        if (settings.token().isEmpty() && !master.isLoopbackAddress()) {
            throw new CollectiveException(
                    RankSettings.TOKEN + " must be set, to the same for all ranks, where " + RankSettings.MASTER_ADDR
                            + " is not this machine's loopback address: " + settings.masterAddress());
        }
        Connections connections = settings.rank() == 0 ? preside(master) : join(master);
        held = true;
        return connections;
    }

    private InetAddress masterAddress() {
        while (true) {
            try {
                return InetAddress.getByName(settings.masterAddress());
            } catch (UnknownHostException e) {
                // The name of a container may be known only once that has been started.
                if (!pause()) {
                    throw new CollectiveException(
                            "rank " + settings.rank() + " finds no address for " + RankSettings.MASTER_ADDR + "="
                                    + settings.masterAddress(),
                            e);
                }
            }
        }
    }

    /** As rank 0. */
    private Connections preside(InetAddress address) throws IOException {
        ServerSocketChannel server = listen(address, settings.masterPort());
        Map<Integer, Line> control = new TreeMap<>();
        Map<Integer, Place> places = new TreeMap<>();
        String difference = "";
        while (control.size() < settings.size() - 1) {
            Line line;
            try {
                line = accept(server, control);
            } catch (CollectiveException e) {
                if (difference.isEmpty()) {
                    throw e;
                }
                break;
            }
            int rank = line.in.readInt();
            int port = line.in.readInt();
            String differs = difference(rank, line, control);
            if (rank > 0 && rank < settings.size() && !control.containsKey(rank)) {
                control.put(rank, line);
                places.put(rank, new Place(line.channel.socket().getInetAddress(), port));
            } else {
                answer(line, differs);
            }
            if (difference.isEmpty() && !differs.isEmpty()) {
                difference = differs;
                // For the others, who are to hear it too.
                deadline = Math.min(deadline, System.nanoTime() + ADMISSION_MILLIS * 1_000_000L);
            }
        }
        for (Line line : control.values()) {
            answer(line, difference);
        }
        if (!difference.isEmpty()) {
            throw new CollectiveException(difference);
        }
        for (Line line : control.values()) {
            line.out.writeInt(places.size());
            for (Map.Entry<Integer, Place> place : places.entrySet()) {
                line.out.writeInt(place.getKey());
                line.out.writeUTF(place.getValue().address.getHostAddress());
                line.out.writeInt(place.getValue().port);
            }
            line.out.flush();
        }
        return new Connections(peers(server, places), control);
    }

    private static void answer(Line line, String difference) throws IOException {
        line.out.writeUTF(difference);
        line.out.flush();
    }

    /** In what a rank that has come differs from this one, empty if it fits. */
    private String difference(int rank, Line line, Map<Integer, Line> control) throws IOException {
        int size = line.in.readInt();
        long clock = System.currentTimeMillis() - line.in.readLong();
        int count = line.in.readInt();
        Map<String, String> theirs = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            theirs.put(line.in.readUTF(), line.in.readUTF());
        }
        if (size != settings.size()) {
            return "rank " + rank + " was started as one of " + size + " ranks, rank 0 as one of " + settings.size()
                    + " (" + RankSettings.WORLD_SIZE + ")";
        }
        if (rank == 0 || control.containsKey(rank)) {
            return "two processes were started as rank " + rank + " (" + RankSettings.RANK + ")";
        }
        for (Map.Entry<String, String> mine : agreed.entrySet()) {
            String other = theirs.getOrDefault(mine.getKey(), "none");
            if (!other.equals(mine.getValue())) {
                return "rank " + rank + " differs from rank 0: its " + mine.getKey() + " is " + other + ", not "
                        + mine.getValue();
            }
        }
        if (Math.abs(clock) > CLOCK_MILLIS) {
            LOGGER.log(
                    Level.WARNING,
                    "the clock of rank {0} is {1} s {2} that of rank 0",
                    rank,
                    Math.abs(clock) / 1000,
                    clock > 0 ? "behind" : "ahead of");
        }
        return "";
    }

    /** As another. */
    private Connections join(InetAddress master) throws IOException {
        Line line = connect(0, new InetSocketAddress(master, settings.masterPort()));
        // It is reached from where it reaches rank 0.
        ServerSocketChannel server = listen(line.channel.socket().getLocalAddress(), 0);
        line.out.writeInt(settings.rank());
        line.out.writeInt(server.socket().getLocalPort());
        line.out.writeInt(settings.size());
        line.out.writeLong(System.currentTimeMillis());
        line.out.writeInt(agreed.size());
        for (Map.Entry<String, String> entry : agreed.entrySet()) {
            line.out.writeUTF(entry.getKey());
            line.out.writeUTF(entry.getValue());
        }
        line.out.flush();
        Map<Integer, Place> places = new TreeMap<>();
        try {
            line.channel.socket().setSoTimeout(patience.meetingMillis());
            String difference = line.in.readUTF();
            if (!difference.isEmpty()) {
                throw new CollectiveException(difference);
            }
            int others = line.in.readInt();
            for (int i = 0; i < others; i++) {
                places.put(line.in.readInt(), new Place(InetAddress.getByName(line.in.readUTF()), line.in.readInt()));
            }
        } catch (SocketTimeoutException e) {
            throw new CollectiveException(
                    "not all ranks came within " + patience.meetingMillis() / 1000 + " s of rank " + settings.rank(),
                    e);
        } catch (IOException e) {
            throw new CollectiveException("rank 0 has ended while the ranks of the run were coming together", e);
        }
        places.put(0, new Place(master, settings.masterPort()));
        Map<Integer, Line> control = Map.of(0, line);
        return new Connections(peers(server, places), control);
    }

    /** Connects to lower ranks, which accept, nearest first; and accepts higher ones. */
    private List<PeerChannel> peers(ServerSocketChannel server, Map<Integer, Place> places) throws IOException {
        Map<Integer, SocketChannel> channels = new TreeMap<>();
        int awaited = 0;
        for (int distance = 1; distance < settings.size(); distance *= 2) {
            int rank = settings.rank() ^ distance;
            if (rank > settings.rank()) {
                awaited++;
                continue;
            }
            Place place = Objects.requireNonNull(places.get(rank));
            Line line = connect(rank, new InetSocketAddress(place.address, place.port));
            line.out.writeInt(settings.rank());
            line.out.flush();
            channels.put(rank, line.channel);
        }
        for (int i = 0; i < awaited; ) {
            Line line = accept(server, Map.of());
            int rank = line.in.readInt();
            Place place = places.get(rank);
            InetAddress from = line.channel.socket().getInetAddress();
            if (place == null || !place.address.equals(from)) {
                LOGGER.log(
                        Level.WARNING,
                        "refused a connection from {0}, where rank {1} is not",
                        from.getHostAddress(),
                        rank);
                line.channel.close();
                continue;
            }
            channels.put(rank, line.channel);
            i++;
        }
        List<PeerChannel> peers = new ArrayList<>();
        for (int distance = 1; distance < settings.size(); distance *= 2) {
            int rank = settings.rank() ^ distance;
            SocketChannel channel = channels.get(rank);
            if (channel == null) {
                throw new CollectiveException("rank " + rank + " did not connect to rank " + settings.rank());
            }
            peers.add(new PeerChannel(rank, channel));
        }
        return peers;
    }

    private ServerSocketChannel listen(InetAddress address, int port) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open();
        opened.add(server);
        try {
            server.bind(new InetSocketAddress(address, port), 2 * settings.size());
        } catch (BindException e) {
            throw new CollectiveException(
                    "rank " + settings.rank() + " cannot listen on " + address.getHostAddress() + ":" + port + ": "
                            + e.getMessage()
                            + (settings.rank() == 0
                                    ? "; another " + RankSettings.MASTER_PORT + " may be free, and "
                                            + RankSettings.MASTER_ADDR + " must be an address of rank 0's machine"
                                    : ""),
                    e);
        }
        server.socket().setSoTimeout(RETRY_MILLIS);
        return server;
    }

    /** The next connection that has the token; others are closed, and make no difference. */
    private Line accept(ServerSocketChannel server, Map<Integer, Line> present) throws IOException {
        while (true) {
            SocketChannel channel = null;
            try {
                channel = server.socket().accept().getChannel();
                Line line = line(channel);
                admission.examine(line.in, line.out);
                return line;
            } catch (SocketTimeoutException e) {
                if (System.nanoTime() > deadline) {
                    throw new CollectiveException(missing(present), e);
                }
            } catch (IOException e) {
                if (channel == null) {
                    throw e;
                }
                refused = "; a process at " + channel.socket().getInetAddress().getHostAddress() + " was refused: "
                        + e.getMessage();
                LOGGER.log(Level.DEBUG, refused);
                channel.close();
            }
        }
    }

    private String missing(Map<Integer, Line> present) {
        List<String> absent = new ArrayList<>();
        for (int rank = 1; rank < settings.size(); rank++) {
            if (!present.containsKey(rank)) {
                absent.add(Integer.toString(rank));
            }
        }
        return "rank " + String.join(", ", absent) + " did not come within " + patience.meetingMillis() / 1000 + " s"
                + refused;
    }

    private Line connect(int rank, InetSocketAddress to) throws IOException {
        while (true) {
            SocketChannel channel = SocketChannel.open();
            try {
                channel.socket().connect(to, ADMISSION_MILLIS);
                Line line = line(channel);
                admission.present(line.in, line.out);
                return line;
            } catch (Admission.RefusedException e) {
                channel.close();
                throw new CollectiveException(
                        "rank " + settings.rank() + " was refused by what listens at " + text(to) + ": "
                                + e.getMessage() + " than that of rank " + rank,
                        e);
            } catch (IOException e) {
                channel.close();
                if (!pause()) {
                    throw new CollectiveException(
                            "rank " + settings.rank() + " cannot reach rank " + rank + " at " + text(to) + " within "
                                    + patience.meetingMillis() / 1000 + " s: " + e.getMessage(),
                            e);
                }
            }
        }
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    private Line line(SocketChannel channel) throws IOException {
        opened.add(channel);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.socket().setSoTimeout(ADMISSION_MILLIS);
        return new Line(
                channel,
                // Without a buffer, which could take in what comes after these words.
                new DataInputStream(channel.socket().getInputStream()),
                new DataOutputStream(new BufferedOutputStream(channel.socket().getOutputStream())));
    }

    /** Waits a moment; false once there is no more time. */
    private boolean pause() {
        if (System.nanoTime() > deadline) {
            return false;
        }
        try {
            Thread.sleep(RETRY_MILLIS);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Closes what listens, and all else where the meeting came to nothing. */
    @Override
    public void close() throws IOException {
        for (AutoCloseable one : opened) {
            if (!held || one instanceof ServerSocketChannel) {
                try {
                    one.close();
                } catch (IOException e) {
                    throw e;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }
}
