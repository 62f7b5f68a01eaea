#!/usr/bin/env python3
"""Use VidP's web page as people do, in Debian's Chromium, against a system that runs.

    run.py --url http://127.0.0.1:8000          the whole test; exit code 1 when something is not as it should be
    run.py --url … --key vidp_…                 the same where a key is asked for
    run.py --url … --screenshots docs/images    also writes the pictures of the documents

Needs the packages of `web-requirements.txt`, chromium and ffmpeg.
"""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback

from playwright.sync_api import sync_playwright

import job_page
import looks
import sending
import site_in_browser
import the_list

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# In this order: what one leaves, the next one uses.
CHECKS = [
    sending.first_load_is_small,
    sending.a_key_is_asked_for,
    sending.options_are_kept,
    sending.dropped_videos_move_live,
    sending.a_bad_file_is_explained,
    the_list.it_can_be_searched_and_filtered,
    the_list.jobs_that_are_not_loaded_are_found,
    the_list.a_late_answer_changes_nothing,
    the_list.a_search_stays_live,
    the_list.a_running_job_is_cancelled_and_retried,
    the_list.a_job_is_deleted_after_a_question,
    the_list.a_deleted_job_stays_away,
    the_list.a_stage_without_workers_is_told,
    job_page.a_rendition_plays_with_captions,
    job_page.a_transcript_line_leads_there,
    job_page.another_rendition_goes_on_in_the_same_place,
    job_page.an_expired_link_is_renewed,
    job_page.the_bar_shows_pictures,
    job_page.results_are_told,
    job_page.files_are_downloaded,
    job_page.keys_control_the_player,
    sending.uploads_wait_their_turn_and_are_given_up_paused_and_resumed,
    looks.texts_are_complete,
    looks.no_serious_violation_of_accessibility,
    looks.french_and_dark,
    looks.narrow,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the system's address")
    parser.add_argument("--key", help="an API key with jobs:read and jobs:write, where one is asked for")
    parser.add_argument("--screenshots", type=pathlib.Path, help="the folder for pictures")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="Chromium's program")
    asked = parser.parse_args()
    begun = time.monotonic()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        site = site_in_browser.Site(playwright, asked, pathlib.Path(folder), ROOT / "samples")
        for check in CHECKS:
            start = time.monotonic()
            try:
                check(site)
                site.complain()
            except Exception:
                print(f"FAILED {check.__name__}", flush=True)
                traceback.print_exc()
                site.show_failure()
                return 1
            print(f"ok {check.__name__} {time.monotonic() - start:.1f} s", flush=True)
    print(f"web page: {len(CHECKS)} checks passed in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
