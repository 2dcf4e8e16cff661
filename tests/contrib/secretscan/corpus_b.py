"""The half that was held out: written before the scanner was tuned, counted by a test, and not looked into.

Its contexts, names and ways of writing are others than those of the first half; only the forms of tokens are the same,
since their issuers made them.
"""

import random
import string
import uuid
from collections.abc import Iterator

from narthex.detectors.kinds import KINDS
from tests.contrib.secretscan.corpus_a import Sample
from tests.contrib.secretscan.forms import secret

_PLACES = (
    ("Jenkinsfile", 'sh "deploy --with {} --now"\n'),
    ("test_login.rb", "  let(:value) {{ '{}' }}\n"),
    ("README.rst", "Use {} for staging.\n"),
    ("handler.rs", 'let value = String::from("{}");\n'),
    ("app.ini", "[remote]\nvalue = {}\n"),
    ("cells.ipynb", '{{"source": ["login(\\"{}\\")\\n"]}}\n'),
    ("mail.txt", "Hi,\nhere it is: {}\nregards\n"),
    ("script.ps1", "$value = '{}'\n"),
    ("query.sql", "INSERT INTO settings VALUES (1, '{}');\n"),
    ("terraform.tfvars", 'value = "{}"\n'),
)
_PASSWORD_LINES = (
    ("database.yml", 'production:\n  username: app\n  password: "{}"\n'),
    (
        "appsettings.json",
        '{{"ConnectionStrings": {{"Default": "Data Source=db;Initial Catalog=x;User ID=app;Pwd={};"}}}}\n',
    ),
    ("ansible.yml", "ansible_become_pass: '{}'\n"),
    ("LoginTest.swift", 'let userPassword = "{}"\n'),
    ("wp-config.php", "define('DB_PASSWORD', '{}');\n"),
    ("settings.xml", "<proxy><username>x</username><password>{}</password></proxy>\n"),
    ("docker-compose.yml", "    environment:\n      - REDIS_PASSWORD={}\n"),
    ("mailer.pl", "my $smtp_passwd = '{}';\n"),
    ("backup.sh", "mysqldump --user=root --password={} shop\n"),
    ("Vagrantfile", "  admin_password: '{}',\n"),
    ("hosts.ini", "db1 ansible_ssh_pass={}\n"),
    ("login.scala", 'val passphrase = "{}"\n'),
    ("main.c", 'static const char *wifi_password = "{}";\n'),
    ("conf.lua", 'config.admin_password = "{}"\n'),
    ("quarkus.properties", "quarkus.datasource.password = {}\n"),
)
_TOKEN_LINES = (
    ("client.rb", "ACCESS_TOKEN = '{}'.freeze\n"),
    ("config.py", '    "client_secret": "{}",\n'),
    ("fetch.js", 'headers: {{ "Authorization": "Token {}" }}\n'),
    ("lib.rs", 'const API_SECRET: &str = "{}";\n'),
    (".travis.yml", "  - SIGNING_SECRET={}\n"),
    ("app.dart", "final String apiToken = '{}';\n"),
    ("prod.env", 'export ENCRYPTION_KEY="{}"\n'),
    ("chart.yaml", "jwtSecret: {}\n"),
    ("Service.m", 'NSString *apiKey = @"{}";\n'),
    ("gradle.properties", "nexusToken={}\n"),
    ("call.sh", 'http GET api.internal "x-auth-token: {}"\n'),
    ("webhook.php", "'webhook_secret' => '{}',\n"),
    ("secrets.auto.tfvars", 'service_token = "{}"\n'),
)
_HARMLESS_VALUES = (
    "CHANGE_ME", "hunter", "P_A_S_S_W_O_R_D", "my-password", "not-a-real-password", "${env.PASS}", "@db.password@",
    "$(cat /run/secret)", "#{ENV['PW']}", "<%= ENV['PW'] %>", "((db-password))", "<your-password>", "[REDACTED]",
    "••••••••", "123456", "guest", "arn:aws:secretsmanager:eu-west-1:1:secret:x", "op://vault/item/password",
    "env(DB_PASS)", "%DB_PASSWORD%", "/run/secrets/db", "sample", "default", "secretsmanager:prod",
    "{{ vault_db_password }}", "...", "testpassword", "(not shown)", "hidden",
)  # fmt: skip


def _text(draw: random.Random, alphabet: str, low: int, high: int) -> str:
    return "".join(draw.choices(alphabet, k=draw.randint(low, high)))


def _password(draw: random.Random) -> str:
    words = ("Winter", "Tiger", "orange", "Harbor", "velvet", "Kilo", "breeze", "Falcon")
    shapes = (
        lambda: draw.choice(words) + str(draw.randint(100, 9999)) + draw.choice("!?#$%"),
        lambda: _text(draw, string.ascii_letters + string.digits, 10, 18),
        lambda: f"{draw.choice(words)}-{draw.choice(words)}-{draw.randint(10, 99)}",
        lambda: _text(draw, string.ascii_letters + string.digits + "!@#%^*", 9, 16),
        lambda: (
            draw.choice(words).replace("e", "3").replace("i", "1")
            + draw.choice("_@")
            + _text(draw, string.digits, 3, 5)
        ),
    )
    return draw.choice(shapes)()


def _token(draw: random.Random) -> str:
    shapes = (
        lambda: _text(draw, string.hexdigits[:16], 32, 64),
        lambda: _text(draw, string.ascii_letters + string.digits, 20, 48),
        lambda: _text(draw, string.ascii_letters + string.digits + "-_", 24, 44),
        lambda: _text(draw, string.ascii_letters + string.digits + "+/", 42, 42) + "==",
        lambda: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    )
    return draw.choice(shapes)()


def true() -> Iterator[Sample]:
    """400 texts with a secret in each."""
    draw = random.Random("the other half")
    kinds = sorted((one.id for one in KINDS), reverse=True)
    for number in range(200):
        name, place = _PLACES[number % len(_PLACES)]
        made = secret(kinds[number % len(kinds)], draw)
        whole = any(mark in made for mark in "\n\"'")
        yield ("mail.txt", f"Hi,\n\n{made}\n") if whole else (name, place.format(made))
    for number in range(100):
        name, line = _PASSWORD_LINES[number % len(_PASSWORD_LINES)]
        yield name, line.format(_password(draw))
    for number in range(100):
        name, line = _TOKEN_LINES[number % len(_TOKEN_LINES)]
        yield name, line.format(_token(draw))


def deceptive() -> Iterator[Sample]:
    """400 texts without one."""
    draw = random.Random("the other half, deceptive")
    lines = (*_PASSWORD_LINES, *_TOKEN_LINES)
    for number in range(140):
        name, line = lines[number % len(lines)]
        yield name, line.format(_HARMLESS_VALUES[number % len(_HARMLESS_VALUES)])
    h, w = string.hexdigits[:16], string.ascii_letters + string.digits
    for number in range(260):
        letters, word = (
            _text(draw, string.ascii_lowercase, 4, 9),
            draw.choice(("orders", "invoice", "session", "billing", "worker")),
        )
        yield (
            ("CHANGELOG.md", f"- fixed in {_text(draw, h, 40, 40)} ({letters})\n"),
            ("poetry.lock", f'{{file = "x.whl", hash = "sha256:{_text(draw, h, 64, 64)}"}}\n'),
            ("auth.py", f"def verify_token(token: str, secret: bytes = {letters}_secret) -> bool:\n"),
            ("auth.go", f'secret, err := vault.Read("secret/data/{letters}")\n'),
            ("values.yaml", f"existingSecret: {word}-{letters}-credentials\n"),
            ("page.html", f'<label for="password">Password</label><a href="/{letters}?reset_token=">Reset</a>\n'),
            ("de.po", f'msgid "Password"\nmsgstr "Kennwort für {letters}"\n'),
            ("trace.log", f"trace={_text(draw, h, 32, 32)} span={_text(draw, h, 16, 16)} {word} done\n"),
            ("Cargo.lock", f'checksum = "{_text(draw, h, 64, 64)}"\n'),
            ("model.ts", f"this.token = await this.{letters}Service.getToken(user.password);\n"),
            ("Dockerfile", f"FROM python@sha256:{_text(draw, h, 64, 64)}\n"),
            ("known_hosts", f"github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{_text(draw, w, 44, 44)}\n"),
            ("test.py", f'assert login("{letters}", password="wrong") is None\n'),
            ("conf.py", f'SESSION_COOKIE_NAME = "{word}_{letters}_sessionid"\n'),
            ("Main.kt", f'val PASSWORD_KEY = "pref_{word}_password_{letters}"\n'),
            ("app.js", f"localStorage.setItem('access_token', response.data.{letters});\n"),
            ("schema.sql", f"password_{letters} VARCHAR(255) NOT NULL, api_key CHAR(32) DEFAULT NULL\n"),
            ("doc.md", f"Authorization: Bearer <token>, or `Bearer YOUR_{word.upper()}_TOKEN`\n"),
            ("uuid.json", f'{{"{word}_id": "{uuid.UUID(int=draw.getrandbits(128), version=4)}"}}\n'),
            ("data.json", f'{{"token_count": {draw.randint(10, 9999)}, "key": "{word}.{letters}"}}\n'),
            ("image.css", f"background: url(data:font/woff2;base64,{_text(draw, w, 200, 300)})\n"),
            ("i18n.json", f'{{"auth.password.label": "Choose a password for {letters}"}}\n'),
            ("ci.yml", f"password: ${{{{ secrets.{word.upper()}_PASSWORD }}}}\n"),
            ("api.py", f'API_KEY_HEADER = "X-{word.title()}-Api-Key"\n'),
            ("keys.py", f"PUBLIC_KEY = '{_text(draw, w, 43, 43)}='\n"),
            ("x.py", f'url = "https://{letters}.example/{word}?page={draw.randint(1, 99)}&sort=key"\n'),
        )[number % 26]
