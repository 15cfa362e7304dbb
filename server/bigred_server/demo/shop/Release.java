package shop;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** The version of this build, and its kind: how it misbehaves, or "good". */
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
