"""Checks of the list of jobs."""

import re

from playwright.sync_api import expect

from site_in_browser import JOB_TIMEOUT_MS, row, rows

LISTED = "**/api/v1/jobs?*"


def it_can_be_searched_and_filtered(site):
    page = site.page
    search = page.get_by_role("searchbox")
    search.fill("BROKEN")
    expect(row(page, "broken.mp4")).to_be_visible()
    expect(row(page, "film.mp4")).to_have_count(0)
    search.fill("no such name")
    expect(page.get_by_text("No jobs match")).to_be_visible()
    search.press("Enter")
    search.fill(row_id(page, "film.mp4", search))
    search.press("Enter")
    expect(page.locator("h1")).to_have_text("film.mp4")
    page.get_by_role("link", name="All jobs").click()
    # The list still has the search.
    expect(page.locator(".row")).to_have_count(1)
    search.fill("")
    status = page.get_by_role("combobox", name="Status", exact=True)
    status.select_option("failed")
    expect(row(page, "film.mp4")).to_have_count(0)
    expect(row(page, "broken.mp4")).to_be_visible()
    search.fill("film")
    expect(page.get_by_text("No jobs match")).to_be_visible()
    status.select_option("")
    expect(row(page, "film.mp4")).to_be_visible()
    search.fill("")
    expect(row(page, "broken.mp4")).to_be_visible()


def row_id(page, name, search):
    search.fill("")
    return row(page, name).get_by_role("link").get_attribute("href").split("/")[-1]


def jobs_that_are_not_loaded_are_found(site):
    page = site.page
    # Pages of one job, so that the list does not load the others at first.
    page.route(LISTED, lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=1")))
    page.reload()
    found = page.locator(".row")
    expect(found).to_have_count(1)
    expect(row(page, "silent.mp4")).to_have_count(0)
    search, more = page.get_by_role("searchbox"), page.get_by_role("button", name="Show older jobs")
    search.fill("Silent")
    expect(row(page, "silent.mp4")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("1 job")).to_be_attached()
    with page.expect_response(f"{LISTED}search=.mp4"):
        search.fill(".mp4")
    expect(found).to_have_count(1)
    more.click()
    expect(found).to_have_count(2)
    page.unroute(LISTED)
    search.fill("")
    expect(row(page, "silent.mp4")).to_be_visible()


def a_late_answer_changes_nothing(site):
    page = site.page
    search, late = page.get_by_role("searchbox"), []

    # Playwright does not accept `late.append`, a built-in method, as a handler.
    def hold(route):
        late.append(route)

    page.route(f"{LISTED}search=film*", hold)
    search.press_sequentially("film", delay=20)
    expect(row(page, "broken.mp4")).to_have_count(0)
    # One request, not one for each letter.
    page.wait_for_timeout(400)
    assert len(late) == 1, late
    with page.expect_response(f"{LISTED}search=broken"):
        search.fill("broken")
    with page.expect_response(f"{LISTED}search=film*"):
        late[0].fulfill(json={**late[0].fetch().json(), "next_cursor": "late"})
    page.wait_for_timeout(200)
    expect(row(page, "broken.mp4")).to_be_visible()
    expect(row(page, "film.mp4")).to_have_count(0)
    expect(page.get_by_role("button", name="Show older jobs")).to_have_count(0)
    page.unroute(f"{LISTED}search=film*")
    search.fill("")


def a_search_stays_live(site):
    page = site.page
    search = page.get_by_role("searchbox")
    search.fill("arrives")
    expect(page.get_by_text("No jobs match")).to_be_visible()
    site.drop(page, ("other.mp4", b"no video"), ("Arrives.mp4", b"no video either"))
    expect(row(page, "Arrives.mp4").locator(".status")).to_have_text("Failed", timeout=JOB_TIMEOUT_MS)
    expect(page.locator(".row")).to_have_count(1)
    search.fill("")
    for name in ["Arrives.mp4", "other.mp4"]:
        expect(row(page, name).locator(".status")).to_have_text("Failed", timeout=JOB_TIMEOUT_MS)
        before = rows(page, name).count()
        row(page, name).get_by_role("button", name=f"Delete {name}").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(rows(page, name)).to_have_count(before - 1)


def a_running_job_is_cancelled_and_retried(site):
    page = site.page
    page.locator(".options summary").click()
    # This codec is slow enough to cancel the job.
    page.get_by_role("combobox", name="Codec").select_option("av1")
    page.get_by_label("720p").check()
    before = rows(page, "long-work.mp4").count()
    site.drop(page, ("long-work.mp4", (site.samples / "clip.mp4").read_bytes()))
    expect(rows(page, "long-work.mp4")).to_have_count(before + 1)
    job = row(page, "long-work.mp4")
    expect(job.locator(".stage-bar.scale.running")).to_be_visible(timeout=JOB_TIMEOUT_MS)
    expect(page.locator(".load-stage.busy")).not_to_have_count(0)
    page.get_by_label("720p").uncheck()
    page.get_by_role("combobox", name="Codec").select_option("h264")
    page.locator(".options summary").click()
    expect(job.locator(".stage-bar.scale .stage-bar-text")).not_to_have_text("0%", timeout=JOB_TIMEOUT_MS)
    # The clip leaves out the messages at the bottom.
    site.picture(page, "list.png", clip={"x": 0, "y": 0, "width": 1280, "height": 580})
    job.get_by_role("button", name="Cancel long-work.mp4").click()
    expect(job.locator(".status")).to_have_text("Cancelled")
    job.get_by_role("button", name="Retry long-work.mp4").click()
    expect(job.locator(".status")).to_have_text(re.compile("Queued|Running"))
    job.get_by_role("button", name="Cancel long-work.mp4").click()
    expect(job.locator(".status")).to_have_text("Cancelled")


def a_job_is_deleted_after_a_confirmation(site):
    page = site.page
    before = rows(page, "long-work.mp4").count()
    ask = page.get_by_role("button", name="Delete long-work.mp4").first
    ask.click()
    expect(page.get_by_role("dialog")).to_contain_text("long-work.mp4")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(ask).to_be_focused()
    ask.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows(page, "long-work.mp4")).to_have_count(before - 1)
    expect(page.locator(".message")).to_contain_text(["long-work.mp4 was deleted."])


def a_question_is_asked_again_at_once(site):
    page = site.page
    ask = page.get_by_role("button", name="Delete").first
    dialog = page.get_by_role("dialog")
    # The browser reports the end of a dialog later. The next question comes before that report, or right after it.
    for pause in ("undefined", "new Promise((end) => dialog.addEventListener('close', () => setTimeout(end)))"):
        ask.click()
        expect(dialog).to_be_visible()
        ask.evaluate(f"""async (ask) => {{
            const dialog = document.querySelector("dialog[open]");
            const closed = {pause};
            dialog.close();
            await closed;
            ask.click();
        }}""")
        expect(dialog).to_be_visible()
        page.wait_for_timeout(200)
        dialog.get_by_role("button", name="Keep").click()
        expect(dialog).to_have_count(0)
        expect(ask).to_be_focused()


def a_deleted_job_stays_away(site):
    page = site.page
    site.drop(page, ("short-lived.mp4", b"no video"))
    job = row(page, "short-lived.mp4")
    expect(job.locator(".status")).to_have_text("Failed", timeout=JOB_TIMEOUT_MS)
    late = []
    page.route(LISTED, lambda route: late.append((route, route.fetch())), times=1)
    page.get_by_role("combobox", name="Status", exact=True).select_option("failed")
    page.wait_for_timeout(500)
    job.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(job).to_have_count(0)
    # The late response still contains the deleted job.
    [(route, answer)] = late
    with page.expect_response(LISTED):
        route.fulfill(json=answer.json())
    expect(row(page, "film.mp4")).to_have_count(0)
    page.wait_for_timeout(200)
    assert job.count() == 0
    page.get_by_role("combobox", name="Status", exact=True).select_option("")
    expect(row(page, "film.mp4")).to_be_visible()


def a_stage_without_workers_is_shown(site):
    page = site.page
    stage = page.locator(".load-stage").filter(has_text="Renditions")
    there = re.compile(r"[1-9]\d* workers?$")
    expect(stage).to_have_text(there)
    # One response without workers changes nothing.
    site.hide_workers(page, times=1)
    expect(stage).to_contain_text("3 waiting")
    expect(stage).to_have_text(there)
    site.hide_workers(page)
    expect(stage).to_have_text(re.compile("3 waiting.*no workers$"))
    page.unroute(site.HEALTH)
    expect(stage).to_have_text(there)
