package shop;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.UUID;

/** The cloakroom of the shop: /login hands out a token, /me knows it again, /logout takes it back. */
public final class Cloakroom extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final String TOKEN = "token";

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (!request.getServletPath().equals("/me")) {
            response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
            return;
        }
        say(response, HttpServletResponse.SC_OK, tokenOf(request.getSession(false)));
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        switch (request.getServletPath()) {
            case "/login":
                String token = UUID.randomUUID().toString();
                request.getSession(true).setAttribute(TOKEN, token);
                say(response, HttpServletResponse.SC_CREATED, token);
                break;
            case "/logout":
                HttpSession session = request.getSession(false);
                String known = tokenOf(session);
                if (session != null) {
                    session.invalidate();
                }
                say(response, HttpServletResponse.SC_OK, known);
                break;
            default:
                response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
        }
    }

    private static String tokenOf(HttpSession session) {
        return session == null ? null : (String) session.getAttribute(TOKEN);
    }

    /** Says the token, or 410 when there is none: a status that nothing else here answers with. */
    private static void say(HttpServletResponse response, int status, String token) throws IOException {
        response.setStatus(token == null ? HttpServletResponse.SC_GONE : status);
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print((token == null ? "nobody here knows you" : token) + "\n");
    }
}
