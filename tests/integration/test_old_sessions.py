"""Users whose sessions were made by the old release, when the new one can't use them."""

import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.judge.evidence import EMPTY, weigh
from bigred_server.judge.judge import judge
from bigred_server.judge.look import Arm, Look, Pair
from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.verdict import Verdict
from bigred_server.tomcat.installed import is_before_jakarta, servlet_api, tomcat_home
from bigred_server.tomcat.instance import ManagerUser, TomcatInstance, find_java

JAVA = """
package shop;

import jakarta.servlet.http.*;
import java.io.*;

public final class Desk extends HttpServlet {{
    public static final class Cart implements Serializable {{
        private static final long serialVersionUID = {shape}L;
        final String owner = "somebody";
    }}

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws IOException {{
        HttpSession session = request.getSession();
        {type} cart = ({type}) session.getAttribute("cart");
        String said = cart == null ? "a new cart" : "the old cart";
        session.setAttribute("cart", cart == null ? {made} : cart);
        response.getWriter().print(said);
    }}
}}
"""
WEB_XML = """<web-app metadata-complete="true"><absolute-ordering/>
<servlet><servlet-name>desk</servlet-name><servlet-class>shop.Desk</servlet-class></servlet>
<servlet-mapping><servlet-name>desk</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>"""
RELEASES = {
    "old": {"shape": "1", "type": "Cart", "made": "new Cart()"},
    "same": {"shape": "1", "type": "Cart", "made": "new Cart()"},
    "another shape": {"shape": "2", "type": "Cart", "made": "new Cart()"},
    "another class": {"shape": "1", "type": "Integer", "made": "Integer.valueOf(1)"},
}
NO_SESSIONS = '<Manager pathname=""/>'
SHARED = """<Valve className="org.apache.catalina.valves.PersistentValve"/>
<Manager className="org.apache.catalina.session.PersistentManager" maxIdleBackup="0">
  <Store className="org.apache.catalina.session.FileStore" directory="{folder}"/>
</Manager>"""
POLICY = JudgePolicy()
OLD, NEW_CART, OLD_CART = "old", (200, "a new cart"), (200, "the old cart")


@pytest.fixture(scope="module")
def wars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    api = servlet_api(tomcat_home())
    for name, parts in RELEASES.items():
        folder = tmp_path_factory.mktemp("release")
        text = JAVA.format(**parts)
        if is_before_jakarta(api):
            text = text.replace("jakarta.servlet", "javax.servlet")
        (folder / "Desk.java").write_text(text)
        argv = [str(find_java("javac")), "--release", "17", "-proc:none", "-cp", str(api)]
        call = [*argv, "-d", str(folder), str(folder / "Desk.java")]
        subprocess.run(call, check=True, timeout=60)
        made[name] = folder / "shop.war"
        with zipfile.ZipFile(made[name], "w") as archive:
            archive.writestr("WEB-INF/web.xml", WEB_XML)
            for path in (folder / "shop").iterdir():
                archive.write(path, f"WEB-INF/classes/shop/{path.name}")
    return made


@dataclass
class Site:
    """Two nodes, on the old and on another release; users move from the first to the second."""

    folder: Path
    wars: dict[str, Path]
    nodes: list[TomcatInstance]

    def run(
        self, *releases: str, manager: str = "", version: str = "", user: ManagerUser | None = None
    ) -> None:
        """Start a node for each release; `manager`: what keeps its sessions, if anything does."""
        for release in releases:
            node = TomcatInstance(
                self.folder / f"node{len(self.nodes) + 1}", free_port(), manager=user
            )
            node.create()
            self.nodes.append(node)
            context = node.base / "conf" / "context.xml"
            if manager:
                context.write_text(context.read_text().replace(NO_SESSIONS, manager))
            self.put(node, release, version)
            self.start(node)

    @property
    def shared(self) -> str:
        """A manager that keeps the sessions of all nodes in one folder."""
        return SHARED.format(folder=self.folder / "sessions")

    def put(self, node: TomcatInstance, release: str, version: str = "") -> None:
        """Put a release in place."""
        shutil.copy(self.wars[release], node.webapps / f"shop{version}.war")

    def start(self, node: TomcatInstance) -> None:
        """Start a node and wait for it."""
        subprocess.run(node.start_command, check=True, timeout=20)
        wait_until(lambda: is_listening(node.port), 60, "Tomcat listens")

    def restart(self, release: str) -> None:
        """Restart the first node with another release, as a deployment does."""
        node = self.nodes[0]
        subprocess.run(node.stop_command, check=True, timeout=30)
        self.put(node, release)
        self.start(node)

    def visit(self, node: int, cookie: str = "") -> tuple[int, str, str]:
        """Return status, text and the cookie of the session."""
        headers = {"cookie": cookie} if cookie else {}
        url = f"http://127.0.0.1:{self.nodes[node].port}/shop/"
        answer = httpx2.get(url, headers=headers, timeout=20)
        given = answer.headers.get("set-cookie", "").partition(";")[0]
        return answer.status_code, answer.text[:20], given or cookie

    def moved(self) -> tuple[int, str]:
        """Begin a session on the first node, and continue it on the second."""
        status, text, cookie = self.visit(0)
        assert (status, text) == NEW_CART
        assert self.visit(0, cookie)[:2] == OLD_CART
        return self.visit(1, cookie)[:2]


@pytest.fixture
def site(tmp_path: Path, wars: dict[str, Path]) -> Iterator[Site]:
    (tmp_path / "sessions").mkdir()
    made = Site(tmp_path, wars, [])
    yield made
    for node in made.nodes:
        subprocess.run(node.stop_command, check=True, timeout=30)


def test_if_each_node_has_its_own_sessions_move_loses_them_and_nobody_gets_an_error(
    site: Site,
) -> None:
    site.run(OLD, "another class")
    assert site.moved() == NEW_CART


def test_shared_sessions_that_fit_are_continued_by_the_new_release(site: Site) -> None:
    site.run(OLD, "same", manager=site.shared)
    assert site.moved() == OLD_CART


def test_shared_sessions_of_another_shape_are_lost_without_an_error(site: Site) -> None:
    site.run(OLD, "another shape", manager=site.shared)
    assert site.moved() == NEW_CART


def test_shared_sessions_of_another_class_answer_500_and_the_judge_sees_it(site: Site) -> None:
    site.run(OLD, "another class", manager=site.shared)
    users = [site.visit(0)[2] for _ in range(20)]
    evidence, looks = EMPTY, 0
    while judge(evidence, POLICY, has_baseline=True).verdict is not Verdict.ROLLBACK:
        arms = []
        for node, its_users in ((1, users[:10]), (0, users[10:])):
            statuses = [site.visit(node, cookie)[0] for cookie in its_users]
            arms.append(Arm(len(statuses), len(statuses), statuses.count(500)))
        assert arms == [Arm(10, 10, 10), Arm(10, 10, 0)]
        look = Look(at=5.0 * looks, span_s=5.0, errors=Pair(*arms))
        evidence = weigh(evidence, look, POLICY, 0.0)
        looks += 1
        assert looks < 10
    # Users without a session are not affected: neither smoke tests nor HAProxy's check see it.
    assert site.visit(1)[:2] == NEW_CART


def test_sessions_that_a_node_keeps_over_its_restart_answer_500_too(site: Site) -> None:
    site.run(OLD, manager='<Manager pathname="SESSIONS.ser"/>')
    cookie = site.visit(0)[2]
    site.restart("same")
    assert site.visit(0, cookie)[:2] == OLD_CART
    site.restart("another class")
    assert site.visit(0, cookie)[0] == 500
    site.restart("another shape")
    assert site.visit(0, cookie)[:2] == NEW_CART


def test_with_parallel_an_old_session_stays_on_the_old_release(site: Site) -> None:
    manager = ManagerUser("bigred", "secret")
    site.run(OLD, version="##1", user=manager)
    cookie = site.visit(0)[2]
    port = site.nodes[0].port
    answer = httpx2.put(
        f"http://127.0.0.1:{port}/manager/text/deploy",
        params={"path": "/shop", "version": "2"},
        auth=(manager.name, manager.password),
        content=site.wars["another class"].read_bytes(),
        timeout=30,
    )
    assert answer.text.startswith("OK")
    assert site.visit(0, cookie)[:2] == OLD_CART
    assert site.visit(0)[:2] == NEW_CART
