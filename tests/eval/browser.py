"""Pages seen by a browser: headless Chromium, where there is one."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Waits for pictures and recordings, and writes what became of them where --dump-dom shows it.
PROBE = """<script>
addEventListener('load', async () => {
  const sounds = [...document.querySelectorAll('audio')];
  await Promise.all(sounds.map(a => a.readyState > 0 || a.error ? 0 : new Promise(done => {
    a.onloadedmetadata = a.onerror = done; a.preload = 'metadata'; a.load(); })));
  %s
  const result = {
    title: document.title, wide: document.documentElement.scrollWidth - innerWidth,
    pictures: [...document.images].map(i => [i.naturalWidth, i.naturalHeight]),
    sounds: sounds.map(a => a.error ? -1 : a.duration),
    text: document.body.innerText, errors: errors };
  const out = document.createElement('pre');
  out.id = 'result', out.textContent = JSON.stringify(result);
  document.body.append(out);
});
const errors = [];
addEventListener('error', e => errors.push(String(e.message || e.target.src)), true);
</script>"""


def dump(address, budget=20000):
    """The page as the browser has it after its scripts ran for `budget` of its own milliseconds; empty when the browser fails."""
    with tempfile.TemporaryDirectory() as profile:
        try:
            done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                   "--window-size=1400,1000", "--user-data-dir=" + profile, "--timeout=60000",
                                   "--virtual-time-budget=%d" % budget, "--dump-dom", address],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired:
            return ""
    return done.stdout.decode()


def look(path, script=""):
    """What the browser made of a page: a dictionary with the fields of `result` above. `script` runs before it is
    filled in."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    # Beside the original, so that relative addresses hold.
    probed = os.path.join(os.path.dirname(path), "probed.html")
    with open(probed, "w", encoding="utf-8") as file:
        file.write(page.replace("<head>", "<head>" + PROBE % script, 1))
    # Its clock runs ahead while a machine with other work still loads the sounds.
    for budget in 20000, 100000, 500000:
        seen = dump("file://" + probed, budget)
        found = re.search(r'<pre id="result">(.*?)</pre>', seen, re.S)
        if found:
            break
    os.unlink(probed)
    if not found and "all is well" not in dump("data:text/html,<p>all is well"):
        raise unittest.SkipTest("Chromium does not start here")
    assert found, seen[-2000:]
    return json.loads(html.unescape(found.group(1)))
