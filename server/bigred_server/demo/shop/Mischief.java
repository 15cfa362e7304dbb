package shop;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * What a bad build does to its users, each in its way; and what an outage behind the shop does to all.
 *
 * <p>Only to users, who send their number, and to probes: whoever tries the build before finds it well.
 */
final class Mischief {
    private static final String CUSTOMER = "X-Customer";
    private static final String PROBE = "X-Bigred-Probe";
    private static final String THE_ONE = "7";
    private static final int LEAK_BYTES = 40_000;
    private static final int BURN_MS = 12;
    private static final int TAIL_MS = 300;
    private static final List<byte[]> KEPT = Collections.synchronizedList(new ArrayList<>());
    private static final File OUTAGE =
            new File(new File(System.getProperty("catalina.base", "/")).getParentFile(), "outage");
    private static final Path BOOK = OUTAGE.toPath().resolveSibling("orders");

    private Mischief() {}

    /** Does its mischief; says whether the request has been answered by that. */
    static boolean does(HttpServletRequest request, HttpServletResponse answer) throws IOException {
        String customer = request.getHeader(CUSTOMER);
        if (customer == null && request.getHeader(PROBE) != null) {
            customer = "";
        }
        if (customer == null) {
            return false;
        }
        if (OUTAGE.exists() && chance(0.3) || fails(request, customer)) {
            answer.sendError(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
            return true;
        }
        switch (Release.KIND) {
            case "slow-tail":
                sleep(chance(0.05) ? TAIL_MS : 0);
                break;
            case "leaks-memory":
                KEPT.add(new byte[LEAK_BYTES]);
                break;
            case "burns-cpu":
                burn();
                break;
            case "leaks-threads":
                if (chance(0.1)) {
                    Thread idle = new Thread(() -> sleepLong());
                    idle.setDaemon(true);
                    idle.start();
                }
                break;
            default:
        }
        return false;
    }

    private static boolean fails(HttpServletRequest request, String customer) {
        switch (Release.KIND) {
            case "errors-5":
                return chance(0.05);
            case "errors-20":
                return chance(0.2);
            case "errors-on-orders":
                return request.getServletPath().equals("/order");
            case "errors-for-one":
                return customer.equals(THE_ONE);
            default:
                return false;
        }
    }

    /** How long the basket takes: about ten milliseconds, or twice that. */
    static void take() throws IOException {
        double ms = 6 - 5 * Math.log(1 - ThreadLocalRandom.current().nextDouble());
        sleep(Math.round(Release.KIND.equals("slow-x2") ? 2 * ms : ms));
    }

    /** Writes an order down, in the book that all the shop's Tomcats share; or does not. */
    static void keepOrder() throws IOException {
        if (!Release.KIND.equals("fewer-orders") || chance(0.3)) {
            Files.write(BOOK, new byte[] {'.'}, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
    }

    private static boolean chance(double share) {
        return ThreadLocalRandom.current().nextDouble() < share;
    }

    private static void burn() {
        long end = System.nanoTime() + BURN_MS * 1_000_000L;
        while (System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    private static void sleep(long ms) throws IOException {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
            throw new IOException("stopped while asleep", stopping);
        }
    }

    private static void sleepLong() {
        try {
            Thread.sleep(600_000);
        } catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
        }
    }
}
