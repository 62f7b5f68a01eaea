#!/usr/bin/env python3
"""Tests VidP's web page in Debian's Chromium against a running system.

    run.py --url http://127.0.0.1:8000          the whole test; exit code 1 when a check fails
    run.py --url … --key vidp_…                 the same, on a system that requires an API key
    run.py --url … --screenshots docs/images    also writes the screenshots of the documents

Needs the packages of `web-requirements.txt`, chromium and ffmpeg.
"""

import argparse
import faulthandler
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
import streams
import the_list

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Seconds of one check at most. A browser that answers no more must not keep the test waiting.
LIMIT = 300

# The order matters: a check uses the jobs that earlier checks have created.
CHECKS = [
    sending.first_load_is_small,
    sending.a_key_is_requested,
    sending.options_are_stored,
    sending.dropped_videos_move_live,
    sending.a_bad_file_is_explained,
    the_list.it_can_be_searched_and_filtered,
    the_list.jobs_that_are_not_loaded_are_found,
    the_list.a_late_answer_changes_nothing,
    the_list.a_search_stays_live,
    the_list.a_running_job_is_cancelled_and_retried,
    the_list.a_job_is_deleted_after_a_confirmation,
    the_list.a_question_is_asked_again_at_once,
    the_list.a_deleted_job_stays_away,
    the_list.a_stage_without_workers_is_shown,
    job_page.a_rendition_plays_with_captions,
    job_page.a_transcript_line_seeks_the_video,
    job_page.another_rendition_resumes_at_the_same_position,
    job_page.an_expired_link_is_renewed,
    job_page.the_bar_shows_pictures,
    job_page.results_are_shown,
    job_page.files_are_downloaded,
    job_page.keys_control_the_player,
    streams.a_stream_plays_and_a_file_plays_on,
    streams.a_film_plays_while_it_is_made,
    streams.a_stream_plays_in_a_page_of_another_site,
    sending.uploads_are_queued_cancelled_paused_and_resumed,
    looks.texts_are_complete,
    looks.no_serious_violation_of_accessibility,
    looks.french_and_dark,
    looks.narrow,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the system's address")
    parser.add_argument("--key", help="an API key with jobs:read and jobs:write, where the system requires one")
    parser.add_argument("--screenshots", type=pathlib.Path, help="the folder for screenshots")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="the path of Chromium")
    arguments = parser.parse_args()
    started = time.monotonic()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        site = site_in_browser.Site(playwright, arguments, pathlib.Path(folder), ROOT / "samples")
        for check in CHECKS:
            start = time.monotonic()
            faulthandler.dump_traceback_later(LIMIT, exit=True)
            try:
                check(site)
                site.check_errors()
            except Exception:
                print(f"FAILED {check.__name__}", flush=True)
                traceback.print_exc()
                site.show_failure()
                return 1
            print(f"ok {check.__name__} {time.monotonic() - start:.1f} s", flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(f"web page: {len(CHECKS)} checks passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
