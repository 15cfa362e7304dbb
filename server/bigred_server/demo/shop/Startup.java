package shop;

import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;

/** Starts the shop: "does-not-start" fails here, and "slow-start" takes three seconds. */
public final class Startup implements ServletContextListener {
    private static final int SLOW_START_MS = 3000;

    @Override
    public void contextInitialized(ServletContextEvent event) {
        if (Release.KIND.equals("does-not-start")) {
            throw new IllegalStateException("the shop cannot start: this build is broken on purpose");
        }
        if (Release.KIND.equals("slow-start")) {
            try {
                Thread.sleep(SLOW_START_MS);
            } catch (InterruptedException stopping) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
