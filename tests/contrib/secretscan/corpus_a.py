"""The half that was looked at while the scanner was tuned: 200 + 200 true samples, 400 deceptive ones."""

import base64
import hashlib
import random
from collections.abc import Callable, Iterator

from narthex.detectors.kinds import KINDS
from tests.contrib.secretscan.forms import fill, secret

Sample = tuple[str, str]
"""A file's name and its text."""

_AROUND: tuple[tuple[str, str], ...] = (
    ("app.py", 'CLIENT = Client("{}")\n'),
    ("deploy.yaml", "env:\n  - value: {}\n"),
    ("notes.md", "The old one was `{}`, ask Bob.\n"),
    ("main.go", "\tclient := New(`{}`)\n"),
    ("run.log", "2026-03-04T10:00:00Z INFO request with {} sent\n"),
    (".env", "X={}\n"),
    ("index.js", "const c = connect('{}');\n"),
    ("config.json", '{{"x": "{}"}}\n'),
)
_PASSWORDS = ("<a:4><A:2><0:3>!", "<w:12>", "<A:1><a:6><0:2>#", "<w:8>@<0:3>", "<a:5>-<0:4>-<A:3>$", "<w:20>")
_TOKENS = ("<w:32>", "<h:40>", "<h:32>", "<b:40>", "<l:24>", "<w:24>", "<h:64>", "<u>")
_NAMED: tuple[tuple[str, str, str], ...] = (
    ("settings.py", 'DB_PASSWORD = "{}"\n', "p"),
    ("settings.py", "conn = connect(host='db', user='app', password='{}')\n", "p"),
    ("app.js", "const password = '{}';\n", "p"),
    ("Main.java", 'private static final String DB_PASSWORD = "{}";\n', "p"),
    ("values.yaml", "postgresql:\n  auth:\n    password: {}\n", "p"),
    (".env", "MYSQL_ROOT_PASSWORD={}\n", "p"),
    ("app.properties", "spring.datasource.password={}\n", "p"),
    ("config.json", '{{"smtp": {{"user": "bot", "password": "{}"}}}}\n', "p"),
    ("web.config", '<add name="x" connectionString="Server=db;User Id=sa;Password={};" />\n', "p"),
    ("pom.xml", "<server><id>r</id><password>{}</password></server>\n", "p"),
    ("setup.sh", "export PGPASSWORD={}\n", "p"),
    ("main.tf", '  master_password = "{}"\n', "p"),
    ("db.php", "$db_password = '{}';\n", "p"),
    ("init.sql", "CREATE USER app IDENTIFIED BY '{}'; -- x\nALTER USER app PASSWORD '{}';\n", "x"),
    ("app.rb", 'config.password = "{}"\n', "p"),
    ("client.py", 'API_KEY = "{}"\n', "t"),
    ("client.ts", 'export const apiKey: string = "{}";\n', "t"),
    ("config.go", '\tAPIToken: "{}",\n', "t"),
    (".env", "SECRET_KEY={}\n", "t"),
    ("ci.yml", "    access_token: {}\n", "t"),
    ("app.cs", 'var clientSecret = "{}";\n', "t"),
    ("conf.toml", 'auth_token = "{}"\n', "t"),
    ("call.sh", "curl -H 'X-Api-Key: {}' https://api.internal/\n", "t"),
    ("Config.kt", 'val apiSecret = "{}"\n', "t"),
    ("k8s.yaml", "        - name: API_TOKEN\n          value: {}\n", "t"),
    ("web.xml", '<property name="secretKey" value="{}"/>\n', "t"),
    ("req.http", "GET /v1/x?api_key={}&page=2\n", "t"),
    ("Dockerfile", "ENV AUTH_TOKEN={}\n", "t"),
)
_NOT_PASSWORDS = (
    "changeme", "password", "your_password_here", "<password>", "${DB_PASSWORD}", "{{ db_password }}", "********",
    "xxxxxxxx", "example", "%(password)s", "{password}", "$PASSWORD", "secret", "admin", "test", "postgres",
    "os.environ['DB_PASSWORD']", "process.env.DB_PASSWORD", "getPassword()", "Enter your password",
    "vault:secret/data/db#password", "none", "null", "replace-me", "TODO", "placeholder-password",
    "ENC[AES256_GCM,data:abc]", "{cipher}x", "dummy_value", "fake-password", "insert-password-here",
)  # fmt: skip
_DECEPTIVE: tuple[tuple[str, str], ...] = (
    ("app.py", 'sha256 = "<h:64>"\n'),
    ("app.py", "# commit <h:40> broke it\n"),
    ("lock.json", '{"integrity": "sha512-<b:86>=="}\n'),
    ("requirements.txt", "requests==2.31.0 --hash=sha256:<h:64>\n"),
    ("main.js", 'const requestId = "<u>";\n'),
    ("index.html", '<script src="a.js" integrity="sha384-<b:64>" crossorigin="anonymous"></script>\n'),
    ("style.css", ".token { background: url(data:image/png;base64,<b:120>) }\n"),
    ("app.py", "token = request.headers.get('X-Auth-Token')\n"),
    ("app.py", "password = getpass.getpass('Password: ')\n"),
    ("model.py", "password = models.CharField(max_length=128)\n"),
    ("login.tsx", '<input type="password" name="password" placeholder="Your password" />\n'),
    ("en.json", '{"password_reset_token": "The token for resetting the password has expired"}\n'),
    ("app.go", "token := lexer.NextToken()\n"),
    ("id.pub", "ssh-rsa AAAAB3NzaC1yc2E<b:300> alice@laptop\n"),
    ("cert.pem", "-----BEGIN CERTIFICATE-----\n<b:64>\n<b:64>\n-----END CERTIFICATE-----\n"),
    ("key.pem", "-----BEGIN PUBLIC KEY-----\n<b:64>\n<b:64>\n-----END PUBLIC KEY-----\n"),
    ("check.py", 'if "-----BEGIN RSA PRIVATE KEY-----" in text: warn("<a:5> <a:6>")\n'),
    ("stripe.js", 'Stripe("pk_live_<w:24>")\n'),
    ("deploy.yml", "  token: ${{ secrets.DEPLOY_TOKEN_<A:3> }}\n"),
    ("main.tf", "  password = var.db_password_<a:3>\n"),
    ("app.py", 'API_KEY = os.environ["API_KEY_<A:3>"]\n'),
    ("docs.md", "Set `GITHUB_TOKEN=ghp_your_token_<a:5>_here` first.\n"),
    ("docs.md", "export AWS_ACCESS_KEY_ID=AKIAXXXXXXXXXXXX<A:1>XXX\n"),
    ("compose.yml", "DATABASE_URL: postgres://postgres:postgres@db:5432/app_<a:3>\n"),
    ("compose.yml", "url: redis://user:password@redis:63<0:2>/0\n"),
    ("app.py", 'url = f"postgresql://{user}:{password}@{host_<a:3>}/db"\n'),
    ("types.ts", "interface Props { token: string; password?: string; apiKey_<a:3>: string }\n"),
    ("auth.ts", "const key = 'user_access_token_<a:6>_cache_key';\n"),
    ("app.yml", "  secretName: tls-certificate-<a:8>\n"),
    ("k8s.yaml", "  valueFrom:\n    secretKeyRef:\n      name: app-<a:4>\n      key: password\n"),
    ("app.py", 'TOKEN_URL = "https://login.internal/oauth2/token/<a:6>"\n'),
    ("app.py", 'CACHE_KEY = "<a:6>:session:<0:6>"\n'),
    ("hash.py", 'password_hash = "$2b$12$<w:53>"\n'),
    ("short.py", 'x = "ghp_<w:20>"\n'),
    ("long.py", 'x = "AKIA<32:30>"\n'),
    ("key.txt", "primary_key: <0:12>\npublic_key: <b:43>=\n"),
    ("app.log", "user <a:5> changed the password; session token expired after <0:3> s\n"),
    ("app.java", 'String tokenType = "Bearer"; int maxTokens = <0:4>;\n'),
    ("lorem.txt", "The secret ingredient is <a:7>; the key to it: <a:9>.\n"),
    ("app.vue", ':key="item.<a:6>Id" v-model="form.password"\n'),
    ("run.sh", 'read -s -p "Password for <a:6>: " PASSWORD\n'),
    ("ver.toml", 'package_key = "<a:6>-<a:5>-<a:7>"\n'),
    ("go.sum", "github.com/x/y v1.2.3 h1:<b:43>=\n"),
    ("zip.txt", "AAAA<w:7> and eyJ<a:9>.<a:4>\n"),
    ("jwt.md", "A token looks like `eyJhbGciOi...<a:4>`.\n"),
)


def true(seed: str = "a") -> Iterator[Sample]:
    """400 texts with a secret in each."""
    draw = random.Random(f"true {seed}")
    kinds = [one.id for one in KINDS]
    for number in range(200):
        name, around = _AROUND[number % len(_AROUND)]
        made = secret(kinds[number % len(kinds)], draw)
        lines = "\n" in made or '"' in made or "'" in made
        yield ("notes.txt", made + "\n") if lines else (name, around.format(made))
    for number in range(200):
        name, around, sort = _NAMED[number % len(_NAMED)]
        value = fill(draw.choice(_PASSWORDS if sort in "px" else _TOKENS), draw)
        yield name, around.format(*[value] * around.count("{}"))


def deceptive(seed: str = "a") -> Iterator[Sample]:
    """400 texts without one."""
    draw = random.Random(f"deceptive {seed}")
    named = [one for one in _NAMED if one[2] == "p"]
    for number in range(150):
        name, around, _ = named[number % len(named)]
        yield name, around.format(_NOT_PASSWORDS[number % len(_NOT_PASSWORDS)])
    makers: tuple[Callable[[], Sample], ...] = (
        lambda: ("data.txt", base64.b64encode(draw.randbytes(200)).decode() + "\n"),
        lambda: ("MD5SUMS", f"{hashlib.md5(draw.randbytes(8)).hexdigest()}  file.tar.gz\n"),  # noqa: S324
        lambda: ("a.svg", f'<path d="M{draw.random() * 99:.4f},{draw.random() * 99:.4f}L1.2,3.4z"/>\n'),
    )
    for number in range(30):
        yield makers[number % len(makers)]()
    for number in range(220):
        name, text = _DECEPTIVE[number % len(_DECEPTIVE)]
        yield name, fill(text, draw)
