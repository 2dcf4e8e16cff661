"""What programmers build with: code hosts, package indexes, CI, infrastructure, monitoring."""

from typing import Final

from narthex.detectors.kinds.checksums import ends_in_crc32, grafana_crc32, opens_as_json
from narthex.detectors.kinds.kind import Kind, kind

_CRC32: Final = "CRC32 in base 62"

BUILDING: Final[tuple[Kind, ...]] = (
    kind(
        "github-token", "GitHub token", "docs.github.com: token formats", "ghp_ gho_ ghu_ ghs_ ghr_",
        r"gh[pousr]_[A-Za-z0-9]{36}", 3.0, checksum=ends_in_crc32, checked=_CRC32,
    ),
    kind(
        "github-app-token", "GitHub token, the long form", "github.blog: new format of installation tokens",
        "ghs_ ghr_ ghu_", r"gh[sru]_(?:[A-Za-z0-9]{76}|[0-9]{1,12}_eyJ[\w.-]{80,1000})", 3.5,
    ),
    kind(
        "github-fine-grained-token", "GitHub fine-grained token", "docs.github.com: token formats", "github_pat_",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", 3.5,
    ),
    kind(
        "github-fine-grained-token-loose", "GitHub fine-grained token, of another length",
        "docs.github.com: token formats", "github_pat_",
        r"github_pat_(?![A-Za-z0-9]{22}_[A-Za-z0-9]{59}(?!\w))\w{36,244}", 3.8,
    ),
    kind(
        "gitlab-token", "GitLab token", "docs.gitlab.com: token prefixes",
        "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glagent- glimt- glffct- glwt-",
        r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|soat|agent|imt|ffct|wt)-(?:[\w-]{20,300}\.[0-9a-z]{2}\.[0-9a-z]{2}"
        r"[0-9a-z]{7}|[\w-]{20,64})"
        r"(?![\w-])",
    ),
    kind(
        "gitlab-runner-token", "GitLab runner registration token", "docs.gitlab.com: registration tokens",
        "GR1348941", r"GR1348941[\w-]{20}(?![\w-])",
    ),
    kind(
        "gitlab-session", "GitLab session cookie", "docs.gitlab.com: session cookie", "_gitlab_session=",
        r"_gitlab_session=(?P<secret>[0-9a-z]{32})", prefix=0,
    ),
    kind(
        "bitbucket-password", "Bitbucket app password", "support.atlassian.com: app passwords", "ATBB",
        r"ATBB[A-Za-z0-9]{24}[A-F0-9]{8}",
    ),
    kind(
        "atlassian-token", "Atlassian API token", "support.atlassian.com: API tokens", "ATATT3 ATCTT3",
        r"AT[AC]TT3[\w=.-]{60,300}(?![\w=-])", 4.0,
    ),
    kind(
        "npm-token", "npm token", "github.blog: npm's new access token format", "npm_", r"npm_[A-Za-z0-9]{36}", 3.0,
        checksum=ends_in_crc32, checked=_CRC32,
    ),
    kind(
        "pypi-token", "PyPI token", "pypi.org: API tokens; a macaroon, whose location comes first",
        "pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw",
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[\w-]{50,1000}", 3.5,
    ),
    kind("rubygems-token", "RubyGems API key", "guides.rubygems.org: API keys", "rubygems_", r"rubygems_[a-f0-9]{48}"),
    kind(
        "crates-token", "crates.io token", "doc.rust-lang.org: cargo login; prefix in crates.io's source", "cio",
        r"cio[A-Za-z0-9]{32}", 3.5,
    ),
    kind("nuget-key", "NuGet API key", "learn.microsoft.com: NuGet API keys", "oy2", r"oy2[a-z0-9]{43}", 3.2),
    kind(
        "clojars-token", "Clojars deploy token", "github.com/clojars: deploy tokens", "CLOJARS_",
        r"CLOJARS_[a-zA-Z0-9]{60}",
    ),
    kind(
        "docker-token", "Docker Hub token", "docs.docker.com: access tokens", "dckr_pat_ dckr_oat_",
        r"dckr_(?:pat_[\w-]{27}|oat_[\w-]{32})(?![\w-])",
    ),
    kind(
        "artifactory-key", "JFrog Artifactory key", "jfrog.com: API keys and reference tokens", "AKCp cmVmdGtu",
        r"AKCp[A-Za-z0-9]{69}|cmVmdGtu[A-Za-z0-9]{56}", 3.8,
    ),
    kind(
        "terraform-token", "Terraform Cloud token", "developer.hashicorp.com: API tokens", ".atlasv1.",
        r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}(?![\w=-])", 3.5, back=14, fixed=True, bare=True,
    ),
    kind(
        "vault-token", "HashiCorp Vault token", "developer.hashicorp.com: Vault tokens", "hvs. hvb. hvr. s.",
        r"hv[sbr]\.[\w-]{24,300}(?![\w-])|s\.[A-Z][A-Za-z0-9]{23}", 3.5, prefix=4,
    ),
    kind("pulumi-token", "Pulumi access token", "pulumi.com: access tokens", "pul-", r"pul-[a-f0-9]{40}"),
    kind(
        "doppler-token", "Doppler token", "docs.doppler.com: token formats", "dp.",
        r"dp\.(?:pt|ct|sa|scim|audit)\.[A-Za-z0-9]{40,44}|dp\.st\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        prefix=6,
    ),
    kind(
        "infisical-token", "Infisical service token", "infisical.com: service tokens", "st.",
        r"st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}",
    ),
    kind(
        "1password-token", "1Password service account token or secret key",
        "developer.1password.com: service accounts", "ops_eyJ A3-",
        r"ops_eyJ[A-Za-z0-9+/]{200,1500}={0,3}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}"
        r"|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    kind(
        "circleci-token", "CircleCI token", "circleci.com: API tokens", "CCIPAT_ CCIPRJ_",
        r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}",
    ),
    kind(
        "buildkite-token", "Buildkite token", "buildkite.com: token formats", "bkua_ bkaj_ bkct_",
        r"bk(?:ua|aj|ct)_[a-z0-9]{40}",
    ),
    kind(
        "harness-token", "Harness access token", "developer.harness.io: API keys", "pat. sat.",
        r"[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}",
    ),
    kind("octopus-key", "Octopus Deploy API key", "octopus.com: API keys", "API-", r"API-[A-Z0-9]{26}", 3.0),
    kind(
        "jenkins-token", "Jenkins API token", "jenkins.io: API tokens", "jenkins JENKINS Jenkins",
        r"(?i:jenkins)[\w-]{0,20}(?:token|TOKEN|Token)[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?P<secret>11"
        r"[a-f0-9]{32})(?![a-f0-9])", prefix=0, bare=True, whole=True,
    ),
    kind("sonar-token", "SonarQube token", "docs.sonarsource.com: tokens", "squ_ sqp_ sqa_", r"sq[upa]_[a-f0-9]{40}"),
    kind("snyk-token", "Snyk token", "docs.snyk.io: API tokens", "snyk_", r"snyk_[a-z]{3}\.[\w-]{8}\.[\w.-]{40,120}"),
    kind(
        "sourcegraph-token", "Sourcegraph token", "sourcegraph.com: access tokens", "sgp_",
        r"sgp_(?:(?:[a-f0-9]{16}|local)_)?[a-f0-9]{40}",
    ),
    kind(
        "postman-key", "Postman API key", "learning.postman.com: API keys", "PMAK-",
        r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    ),
    kind("scalingo-token", "Scalingo token", "developers.scalingo.com: tokens", "tk-us-", r"tk-us-[\w-]{48}(?![\w-])"),
    kind("infracost-key", "Infracost API key", "infracost.io: API keys", "ico-", r"ico-[A-Za-z0-9]{32}", 3.5),
    kind("prefect-key", "Prefect API key", "docs.prefect.io: API keys", "pnu_ pnb_", r"pn[ub]_[A-Za-z0-9]{36}"),
    kind(
        "openshift-token", "OpenShift user token", "docs.openshift.com: OAuth tokens", "sha256~",
        r"sha256~[\w-]{43}(?![\w-])", 3.8,
    ),
    kind(
        "grafana-token", "Grafana service account token",
        "grafana.com: token secret check; its source for the checksum", "glsa_",
        r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}", 3.0, checksum=grafana_crc32, checked="CRC32 in hex",
    ),
    kind(
        "grafana-cloud-token", "Grafana Cloud token, or an older API key", "grafana.com: access policies",
        "glc_ eyJrIjoi", r"glc_[A-Za-z0-9+/]{32,400}={0,3}|eyJrIjoi[A-Za-z0-9]{70,400}={0,3}",
    ),
    kind(
        "sentry-token", "Sentry token", "docs.sentry.io: auth tokens", "sntrys_eyJ sntryu_ sntrya_",
        r"sntrys_eyJ[A-Za-z0-9+/=]{60,400}_[A-Za-z0-9+/]{43}|sntry[ua]_[a-f0-9]{64}", 3.0, prefix=7,
    ),
    kind(
        "new-relic-key", "New Relic key", "docs.newrelic.com: API keys", "NRAK- NRIQ- NRRA- NRAA- NRII- NRSP-",
        r"NRAK-[A-Z0-9]{27}|NRIQ-[\w-]{32}|NRRA-[a-f0-9]{42}|NRAA-[a-f0-9]{27}|NRII-[\w-]{32}|NRSP-[a-z0-9]{2,30}",
    ),
    kind(
        "dynatrace-token", "Dynatrace token", "docs.dynatrace.com: token format", "dt0c01. dt0s01. dt0s02. dt0s16.",
        r"dt0(?:c|s)[01][0-9]\.[A-Z0-9a-z-]{8,24}\.[A-Za-z0-9]{64}", 3.8,
    ),
    kind(
        "honeycomb-key", "Honeycomb ingest key", "docs.honeycomb.io: API keys", "hcaik_ hcxik_ hcalk_",
        r"hc[a-z]{3}_[a-z0-9]{58}",
    ),
    kind(
        "launchdarkly-key", "LaunchDarkly key", "docs.launchdarkly.com: keys", "sdk- api- mob-",
        r"(?:sdk|api|mob)-[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}", 2.8,
    ),
    kind(
        "algolia-key", "Algolia secured API key", "algolia.com: secured API keys", "NjQ",
        r"NjQ[A-Za-z0-9+/]{200,400}={0,2}", 4.0,
    ),
    kind(
        "figma-token", "Figma token", "figma.com: access tokens", "figd_ figo_ figu_ figdr_ figor_",
        r"fig(?:d|o|u|dr|or)_[\w-]{38,52}(?![\w-])",
    ),
    kind(
        "expo-token", "Expo robot token", "docs.expo.dev: access tokens", "EXPO_TOKEN",
        r"EXPO_TOKEN[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?P<secret>[\w-]{40})(?![\w-])", prefix=0, bare=True, whole=True,
    ),
    kind("readme-token", "ReadMe API key", "docs.readme.com: API keys", "rdme_", r"rdme_[a-z0-9]{70}"),
    kind(
        "gradle-key", "Develocity access key", "docs.gradle.com: access keys", "eyJkZXZlbG9j",
        r"eyJkZXZlbG9j[A-Za-z0-9+/=]{40,400}", structure=opens_as_json,
    ),
)  # fmt: skip
