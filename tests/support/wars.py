"""Tiny WARs for trying a Tomcat: one class starts and serves, and fails on request."""

import shutil
import subprocess
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from bigred_server.tomcat.installed import is_before_jakarta, servlet_api, tomcat_home
from bigred_server.tomcat.instance import find_java

_JAVA = """
package lab;

import jakarta.servlet.*;
import jakarta.servlet.http.*;
import java.io.*;
import java.util.Properties;

public final class Lab extends HttpServlet implements ServletContextListener {
    private static final Properties PROPERTIES = new Properties();

    static {
        try (InputStream file = Lab.class.getResourceAsStream("/lab.properties")) {
            PROPERTIES.load(file);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private static boolean does(String what) {
        return PROPERTIES.getProperty("does").equals(what);
    }

    private static void sleep(String ms) {
        try {
            Thread.sleep(Long.parseLong(ms));
        } catch (InterruptedException stopping) {
            throw new IllegalStateException("stopped while asleep", stopping);
        }
    }

    @Override
    public void contextInitialized(ServletContextEvent event) {
        sleep(PROPERTIES.getProperty("start_ms"));
        if (does("listener-throws")) {
            throw new IllegalStateException("broken on purpose");
        }
        if (does("leaks")) {
            Thread thread = new Thread(() -> sleep("600000"), "leaked");
            thread.setDaemon(true);
            thread.start();
        }
    }

    @Override
    public void init() throws ServletException {
        if (does("servlet-throws")) {
            throw new ServletException("broken on purpose");
        }
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        response.setHeader("X-Release", PROPERTIES.getProperty("version"));
        String path = String.valueOf(request.getPathInfo());
        if (path.equals("/visit")) {
            request.getSession();
        }
        if (path.equals("/slow")) {
            sleep(request.getParameter("ms"));
        }
        response.getWriter().print(PROPERTIES.getProperty("version"));
    }
}
"""

_WEB_XML = """<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
  <absolute-ordering/>
  <listener><listener-class>lab.Lab</listener-class></listener>
  <servlet>
    <servlet-name>lab</servlet-name>
    <servlet-class>lab.Lab</servlet-class>
    <load-on-startup>1</load-on-startup>
  </servlet>
  <servlet-mapping><servlet-name>lab</servlet-name><url-pattern>/*</url-pattern></servlet-mapping>
</web-app>
"""


class Wars:
    """Makes WARs in a folder; the class is compiled once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        source = folder / "Lab.java"
        api = servlet_api(tomcat_home())
        old = is_before_jakarta(api)
        source.write_text(_JAVA.replace("jakarta.servlet", "javax.servlet") if old else _JAVA)
        argv = [str(find_java("javac")), "-J-XX:TieredStopAtLevel=1", "--release", "17"]
        argv += ["-proc:none", "-cp", str(api)]
        subprocess.run([*argv, "-d", str(folder), str(source)], timeout=60, check=True)
        self._class = (folder / "lab" / "Lab.class").read_bytes()

    def make(self, version: str, does: str = "", *, start_ms: int = 0, padding: int = 0) -> Path:
        """Return a WAR of a version; `does`: listener-throws, servlet-throws or leaks.

        `/visit` begins a session, `/slow?ms=` answers late; all other paths are alike. X-Release is
        the version. `start_ms`: how long its start takes. `padding`: additional bytes.
        """
        war = self._folder / f"lab-{version}-{does}-{start_ms}-{padding}.war"
        properties = f"version={version}\ndoes={does}\nstart_ms={start_ms}\n"
        with zipfile.ZipFile(war, "w") as archive:
            archive.writestr("WEB-INF/web.xml", _WEB_XML)
            archive.writestr("WEB-INF/classes/lab/Lab.class", self._class)
            archive.writestr("WEB-INF/classes/lab.properties", properties)
            if padding:
                archive.writestr("padding", bytes(padding))
        return war


def bringing(wars: Mapping[str, Path]) -> Callable[[str, Path], Awaitable[None]]:
    """Return a function that copies the WARs of nodes from here."""

    async def copy_war(node: str, target: Path) -> None:
        shutil.copyfile(wars[node], target)

    return copy_war
