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
 * Injects the faults of bad builds, and those of an outage behind the shop, which affects every build.
 *
 * <p>Only requests of users, who send their number, and of probes fail: checks before that find nothing.
 */
final class Faults {
    private static final String CUSTOMER = "X-Customer";
    private static final String PROBE = "X-Bigred-Probe";
    private static final String FAILING_CUSTOMER = "7";
    private static final int LEAK_BYTES = 40_000;
    private static final int BURN_MS = 12;
    private static final int TAIL_MS = 300;
    private static final List<byte[]> KEPT = Collections.synchronizedList(new ArrayList<>());
    private static final File OUTAGE =
            new File(new File(System.getProperty("catalina.base", "/")).getParentFile(), "outage");
    private static final Path ORDERS = OUTAGE.toPath().resolveSibling("orders");

    private Faults() {}

    /** Injects the fault of this build, if any; returns whether that has answered the request. */
    static boolean inject(HttpServletRequest request, HttpServletResponse answer) throws IOException {
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
                return customer.equals(FAILING_CUSTOMER);
            default:
                return false;
        }
    }

    /** Delays the basket by about ten milliseconds, or twice that. */
    static void delayBasket() throws IOException {
        double ms = 6 - 5 * Math.log(1 - ThreadLocalRandom.current().nextDouble());
        sleep(Math.round(Release.KIND.equals("slow-x2") ? 2 * ms : ms));
    }

    /** Appends an order to the file that all Tomcats of the shop share; "fewer-orders" loses most of them. */
    static void recordOrder() throws IOException {
        if (!Release.KIND.equals("fewer-orders") || chance(0.3)) {
            Files.write(ORDERS, new byte[] {'.'}, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
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
            throw new IOException("interrupted while sleeping", stopping);
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
