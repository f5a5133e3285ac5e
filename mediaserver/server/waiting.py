"""What may wait for an admin, in the order in which the overview shows it."""

from __future__ import annotations

from mediaserver.admin.overview import DEAD_JOBS, DEAD_MAIL, Queue
from mediaserver.channels import verifications
from mediaserver.money import corrections, dispute_rows, nightly_check, payments, payout_rows
from mediaserver.trust import appeals, reports

QUEUES: tuple[Queue, ...] = (
    Queue("reports", "report waits", "reports wait", "/admin/reports", reports.count_new),
    Queue("appeals", "appeal waits", "appeals wait", "/admin/reports/appeals", appeals.count_open),
    Queue(
        "verification",
        "streamer asks to be verified",
        "streamers ask to be verified",
        "/admin/verification",
        verifications.count_submitted,
    ),
    Queue(
        "payments",
        "payment waits for an admin",
        "payments wait for an admin",
        "/admin/payments",
        payments.count_waiting,
    ),
    Queue(
        "books",
        "place in the books is wrong",
        "places in the books are wrong",
        nightly_check.PAGE,
        nightly_check.count_wrong,
    ),
    Queue(
        "corrections",
        "correction of the books waits for a second admin",
        "corrections of the books wait for a second admin",
        corrections.PAGE,
        corrections.count_waiting,
    ),
    Queue(
        "payouts",
        "streamer waits for a payout",
        "streamers wait for a payout",
        "/admin/payouts",
        payout_rows.count_open,
    ),
    Queue(
        "disputes",
        "payment is disputed",
        "payments are disputed",
        "/admin/disputes",
        dispute_rows.count_open,
    ),
    DEAD_MAIL,
    DEAD_JOBS,
)
