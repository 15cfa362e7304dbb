package shop;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** What this build is: its version, and how it misbehaves. */
final class Release {
    static final String VERSION;
    static final String KIND;

    static {
        Properties release = new Properties();
        try (InputStream file = Release.class.getResourceAsStream("/release.properties")) {
            release.load(file);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
        VERSION = release.getProperty("version");
        KIND = release.getProperty("kind");
    }

    private Release() {}
}
