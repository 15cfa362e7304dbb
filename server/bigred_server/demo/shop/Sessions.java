package shop;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.UUID;

/** Sessions of the shop: /login creates one with a token, /me returns the token, /logout ends it. */
public final class Sessions extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final String TOKEN = "token";

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (!request.getServletPath().equals("/me")) {
            response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
            return;
        }
        answer(response, HttpServletResponse.SC_OK, tokenOf(request.getSession(false)));
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        switch (request.getServletPath()) {
            case "/login":
                String token = UUID.randomUUID().toString();
                request.getSession(true).setAttribute(TOKEN, token);
                answer(response, HttpServletResponse.SC_CREATED, token);
                break;
            case "/logout":
                HttpSession session = request.getSession(false);
                String known = tokenOf(session);
                if (session != null) {
                    session.invalidate();
                }
                answer(response, HttpServletResponse.SC_OK, known);
                break;
            default:
                response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
        }
    }

    private static String tokenOf(HttpSession session) {
        return session == null ? null : (String) session.getAttribute(TOKEN);
    }

    /** Answers with the token, or with 410 without one: no other answer of the shop has this status. */
    private static void answer(HttpServletResponse response, int status, String token) throws IOException {
        response.setStatus(token == null ? HttpServletResponse.SC_GONE : status);
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print((token == null ? "no session" : token) + "\n");
    }
}
