"""The list of jobs."""

import re

from playwright.sync_api import expect

from site_in_browser import PATIENCE, row, rows


def it_can_be_searched_and_filtered(site):
    page = site.page
    search = page.get_by_role("searchbox")
    search.fill("BROKEN")
    expect(row(page, "broken.mp4")).to_be_visible()
    expect(row(page, "film.mp4")).to_have_count(0)
    search.fill("no such name")
    expect(page.get_by_text("No job matches")).to_be_visible()
    search.press("Enter")
    expect(page.locator(".message")).to_contain_text(["There is no job with the id no such name."])
    search.fill(row_id(page, "film.mp4", search))
    search.press("Enter")
    expect(page.locator("h1")).to_have_text("film.mp4")
    page.get_by_role("link", name="All jobs").click()
    status = page.get_by_role("combobox", name="Status", exact=True)
    status.select_option("failed")
    expect(row(page, "film.mp4")).to_have_count(0)
    expect(row(page, "broken.mp4")).to_be_visible()
    status.select_option("")
    expect(row(page, "film.mp4")).to_be_visible()


def row_id(page, name, search):
    search.fill("")
    return row(page, name).get_by_role("link").get_attribute("href").split("/")[-1]


def a_running_job_is_cancelled_and_retried(site):
    page = site.page
    page.locator(".options summary").click()
    # A codec that takes long enough to be stopped.
    page.get_by_role("combobox", name="Codec").select_option("av1")
    page.get_by_label("720p").check()
    before = rows(page, "long-work.mp4").count()
    site.drop(page, ("long-work.mp4", (site.samples / "clip.mp4").read_bytes()))
    expect(rows(page, "long-work.mp4")).to_have_count(before + 1)
    job = row(page, "long-work.mp4")
    expect(job.locator(".stage-bar.scale.running")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".load-stage.busy")).not_to_have_count(0)
    page.get_by_label("720p").uncheck()
    page.get_by_role("combobox", name="Codec").select_option("h264")
    page.locator(".options summary").click()
    expect(job.locator(".stage-bar.scale .stage-bar-text")).not_to_have_text("0%", timeout=PATIENCE)
    # Without the messages at the bottom.
    site.picture(page, "list.png", clip={"x": 0, "y": 0, "width": 1280, "height": 580})
    page.get_by_role("button", name="Cancel long-work.mp4").click()
    expect(job.locator(".status")).to_have_text("Cancelled")
    page.get_by_role("button", name="Retry long-work.mp4").click()
    expect(job.locator(".status")).to_have_text(re.compile("Queued|Running"))
    page.get_by_role("button", name="Cancel long-work.mp4").click()
    expect(job.locator(".status")).to_have_text("Cancelled")


def a_job_is_deleted_after_a_question(site):
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
    expect(page.locator(".message")).to_contain_text(["long-work.mp4 is deleted."])
