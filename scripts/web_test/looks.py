"""Checks of texts, colours, layout and accessibility: both languages, light and dark mode, narrow windows."""

import pathlib

import axe_playwright_python
from playwright.sync_api import expect

from site_in_browser import row, until

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RUN_AXE = """async () => (await axe.run()).violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)"""

# Names of texts that only one of the languages has.
COMPARE = """async () => {
    const texts = await Promise.all(['en', 'fr'].map((code) => import(`/web/js/text/${code}.js`)));
    const [en, fr] = texts.map((one) => one.default);
    const missing = (from, other) => Object.keys(from).filter((name) => typeof from[name] !== typeof other[name]);
    return [...missing(en, fr), ...missing(fr, en)];
}"""
# The height shows most of a job's page in the screenshots.
TALL = {"width": 1200, "height": 980}

# French punctuation after a space that could break the line.
BREAKING = "document.body.innerText.match(/[^\\n]{0,20} [:;!?»]/g)"

# Names of texts that the page lacks for values of the generated module `contract.js`.
UNEXPLAINED = """async () => {
    const { default: en } = await import('/web/js/text/en.js');
    const served = await import('/web/js/contract.js');
    const codes = [...served.FAILURE_CODES, ...served.SKIP_CODES];
    const names = [
        ...codes.map((code) => `code.${code}`),
        ...served.FAILURE_CODES.map((code) => `todo.${code}`),
        ...served.STAGES.map((stage) => `stage.${stage}`),
        ...served.CODECS.map((codec) => `codec.${codec}`),
    ];
    return names.filter((name) => !(name in en));
}"""


def texts_are_complete(site):
    missing = site.page.evaluate(COMPARE)
    assert not missing, f"missing in one language: {missing}"
    unexplained = site.page.evaluate(UNEXPLAINED)
    assert not unexplained, f"without a text: {unexplained}"


def no_serious_violation_of_accessibility(site):
    for scheme in ["light", "dark"]:
        page = site.open(color_scheme=scheme, viewport=TALL)
        site.hide_workers(page)
        site.go(page)
        page.locator(".options summary").click()
        expect(page.locator(".load-none")).to_be_visible()
        examine(page, f"the list, {scheme}")
        for name, there in [("film.mp4", ".lines li"), ("broken.mp4", ".failure")]:
            site.go(page)
            row(page, name).get_by_role("link").click()
            expect(page.locator(there).first).to_be_visible()
            examine(page, f"{name}, {scheme}")
            if (name, scheme) == ("film.mp4", "light"):
                play_to_a_picture(page)
                # The screenshot includes the preview above the seek bar.
                page.get_by_label("Position").hover()
                expect(page.locator(".preview-picture")).to_be_visible()
                site.picture(page, "job.png")
        page.context.close()


def examine(page, what):
    # Evaluated outside the page, because its Content-Security-Policy refuses other scripts.
    page.evaluate(AXE)
    violations = page.evaluate(RUN_AXE)
    assert not violations, f"{what}: {violations}"


def play_to_a_picture(page):
    """Moves the video to a caption, and the pointer away from the controls."""
    page.locator(".lines li").nth(3).get_by_role("button").click()
    until(page, "document.querySelector('video').readyState >= 2 && !document.querySelector('video').seeking")
    page.mouse.move(0, 0)


def french_and_dark(site):
    page = site.open(color_scheme="dark", locale="fr-FR", viewport=TALL)
    page.goto(site.url)
    if site.key:
        page.get_by_role("dialog").get_by_label("Clé").fill(site.key)
        page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_text("Déposez vos vidéos ici")).to_be_visible()
    expect(row(page, "film.mp4")).to_contain_text("Réussie")
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert all(int(part) < 60 for part in background[4:-1].split(",")), background
    row(page, "broken.mp4").get_by_role("link").click()
    expect(page.locator(".failure")).to_contain_text("Ce n’est pas un fichier vidéo")
    page.get_by_role("link", name="Toutes les tâches").click()
    row(page, "film.mp4").get_by_role("link").click()
    expect(page.locator(".answer")).to_contain_text("anglais")
    breaking = page.evaluate(BREAKING)
    assert not breaking, breaking
    play_to_a_picture(page)
    site.picture(page, "job-dark-fr.png")
    page.get_by_role("combobox", name="Langue de cette page").select_option("en")
    expect(page.locator(".answer")).to_contain_text("English")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.context.close()


def narrow(site):
    page = site.open(viewport={"width": 360, "height": 740})
    site.hide_workers(page)
    site.go(page)
    page.locator(".options summary").click()
    for there, name in [(".load-none", None), (".lines li", "film.mp4"), (".failure", "broken.mp4")]:
        if name:
            site.go(page)
            row(page, name).get_by_role("link").click()
        expect(page.locator(there).first).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{name or 'the list'} is {width} pixels wide"
        examine(page, f"{name or 'the list'}, narrow")
    page.context.close()
