package shop;

import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;

/** Opens the shop in the morning; "does-not-start" fails here, and "slow-start" takes its time. */
public final class Opening implements ServletContextListener {
    private static final int SLOW_START_MS = 3000;

    @Override
    public void contextInitialized(ServletContextEvent event) {
        if (Release.KIND.equals("does-not-start")) {
            throw new IllegalStateException("the shop cannot open: this build is broken on purpose");
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
