package shop;

import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;

/** Opens the shop in the morning; the build named "does-not-start" fails here. */
public final class Opening implements ServletContextListener {
    @Override
    public void contextInitialized(ServletContextEvent event) {
        if (Release.KIND.equals("does-not-start")) {
            throw new IllegalStateException("the shop cannot open: this build is broken on purpose");
        }
    }
}
