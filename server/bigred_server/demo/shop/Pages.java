package shop;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;

/** The pages of the shop, its orders, a health check, and answers that are slow on purpose. */
public final class Pages extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST_MS = 5000;

    private final AtomicLong orders = new AtomicLong();

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        switch (request.getServletPath()) {
            case "/":
                response.setContentType("text/html;charset=UTF-8");
                response.getWriter().print("<!doctype html>\n<title>Shop</title>\n<h1>Shop</h1>\n<p>Release "
                        + Release.VERSION + " is open.</p>\n");
                break;
            case "/basket":
                Faults.delayBasket();
                answer(response, "Release " + Release.VERSION + " has your basket.");
                break;
            case "/health":
                answer(response, "open");
                break;
            case "/slow":
                answer(response, "slept " + sleep(request.getParameter("ms")) + " ms");
                break;
            default:
                response.sendError(HttpServletResponse.SC_NOT_FOUND);
        }
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (!request.getServletPath().equals("/order")) {
            response.sendError(HttpServletResponse.SC_NOT_FOUND);
            return;
        }
        int length = request.getInputStream().readAllBytes().length;
        Faults.recordOrder();
        response.setStatus(HttpServletResponse.SC_CREATED);
        answer(response, "order " + orders.incrementAndGet() + ": " + length + " bytes");
    }

    private static int sleep(String requested) throws IOException {
        int ms = 0;
        try {
            ms = Math.max(0, Math.min(Integer.parseInt(requested), LONGEST_MS));
            Thread.sleep(ms);
        } catch (NumberFormatException notANumber) {
            return 0;
        } catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while sleeping", stopping);
        }
        return ms;
    }

    private static void answer(HttpServletResponse response, String text) throws IOException {
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print(text + "\n");
    }
}
