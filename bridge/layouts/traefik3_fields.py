"""All keys that Traefik 3 knows, with their types and the first minor version that knows them.

One unknown name, or one value of the wrong type, makes Traefik 3 refuse the whole tree, of everybody. The table was
taken from the sources of 3.0 to 3.7 and tried on eleven real ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from enum import Enum
from functools import cache

Version = tuple[int, int]  # of Traefik: 3 and its minor


class Type(Enum):
    """What stands at a path."""

    TEXT = "string"
    TRUTH = "bool"
    WHOLE = "int"
    TIME = "duration"
    LIST = "strings"  # texts between commas
    TEXTS = "map"  # a text for each name below it
    NUMBERS = "intmap"  # a whole number for each name below it
    FREE = "freemap"  # anything below it
    BRANCH = "branch"  # keys of the table below it, or none


MAPS = frozenset((Type.TEXTS, Type.NUMBERS, Type.FREE))


@dataclass(frozen=True, slots=True)
class Field:
    """A key that Traefik knows."""

    path: str  # below the prefix, spelt as Traefik does; {name} and {n} in the table, the real names elsewhere
    type: Type
    empty: bool = False  # a branch that may be a leaf: true, or empty, switches it on
    ignored: bool = False  # taken, whatever it holds, and of no effect
    refused: bool = False  # there is no way to write it
    native: bool = True  # a label can set it, in the vocabulary of Traefik 2 and 3
    since: int = 0  # the minor version


@dataclass(slots=True)
class Shape:
    """What may stand at a place of the tree, and below it. Nobody changes one that is built."""

    field: Field | None = None  # None: a branch, of which nothing is known but what stands below it
    fields: dict[str, tuple[str, Shape]] = dataclass_field(default_factory=dict)  # by folded name: as spelt, and what
    each: Shape | None = None  # of every name, where any may stand
    listed: bool = False  # the names only keep the elements of a list apart


def fold(name: str) -> str:
    """Names that are equal once folded are one name for Traefik."""
    if name.isascii():
        return name.lower()
    return "".join(one if len(one) == 1 else char for char in name for one in (char.casefold(),))


def field_of(path: str, version: Version) -> Field | None:
    """What Traefik of this version knows at `path` below the prefix; None where it refuses the tree for it.

    An entry of a map (the name of a header) has the map's field, with its own name in the path.
    """
    shape, spelt = shapes(version), list[str]()
    parts = path.split("/")
    for at, name in enumerate(parts):
        known = (name, shape.each) if shape.each else shape.fields.get(fold(name))
        if known is None or not name:
            return None
        spelt.append(known[0])
        shape = known[1]
        left = parts[at + 1 :]
        if shape.field and shape.field.type in MAPS and left and not shape.field.ignored:
            single = len(left) == 1 or shape.field.type is Type.FREE
            return replace(shape.field, path="/".join(spelt + left)) if single and all(left) else None
    found = shape.field
    if found is None or found.refused or (found.type in MAPS and not found.ignored):
        return None
    return replace(found, path="/".join(spelt))


@cache
def fields() -> Mapping[str, Field]:
    """All of them, by their path in the table."""
    found, parent = {}, ""
    for line in _TABLE.splitlines():
        if not line.startswith(" "):
            parent = line
            continue
        code, _, names = line.partition(":")
        parts = re.fullmatch(r" +([a-z]+)([?!L-]*)(?:@([0-9]))?", code)
        if parts is None:
            raise AssertionError(line)
        for name in names.split():
            path, flags = f"{parent}/{name}", parts[2]
            since = max(int(parts[3] or 0), _LATER.get(path, 0))
            found[path] = Field(path, Type(parts[1]), "?" in flags, "-" in flags, "!" in flags, "L" not in flags, since)
    return found


@cache
def shapes(version: Version) -> Shape:
    """All that Traefik of this version knows, as a tree."""
    root = Shape()
    for known in fields().values():
        if (3, known.since) <= version:
            shape = root
            for name in known.path.split("/"):
                shape = _below(shape, name)
            shape.field = known
    return root


def _below(shape: Shape, name: str) -> Shape:
    """The place below another, made where it is missing."""
    if name.startswith("{"):
        shape.each = shape.each or Shape()
        shape.listed = name == "{n}"
        return shape.each
    return shape.fields.setdefault(fold(name), (name, Shape()))[1]


# Known by the newest patch of a minor version and refused by its first one: counted from the next minor on.
_LATER = {
    "http/middlewares/{name}/errors/errorRequestHeaders": 7,
    "http/middlewares/{name}/forwardAuth/maxResponseBodySize": 7,
    "http/middlewares/{name}/redirectScheme/forcePermanentRedirect": 7,
    "tcp/serversTransports/{name}/proxyProtocol": 6,
    "tcp/serversTransports/{name}/proxyProtocol/version": 6,
}

# A branch, and below it the names of each type. ? may be a leaf, - is ignored, ! cannot be written, L has no label in
# the native vocabulary; @ the minor version, where it is not the first.
_TABLE = """\
http/middlewares/{name}
  branch-@1: URLRewrite requestRedirect
  branch-@7: appRoot authTLSPassCertificateToUpstream rewriteTarget snippet upstreamVHost
  branch?: compress contentType
  freemap: plugin
  branch-: requestHeaderModifier
  branch-@2: responseHeaderModifier
http/middlewares/{name}/addPrefix
  string: prefix
http/middlewares/{name}/basicAuth
  string: headerField realm usersFile
  bool: removeHeader
  strings: users
http/middlewares/{name}/buffering
  bool-@7: disableRequestBuffer disableResponseBuffer
  int: maxRequestBodyBytes maxResponseBodyBytes memRequestBodyBytes memResponseBodyBytes
  string: retryExpression
http/middlewares/{name}/chain
  strings: middlewares
http/middlewares/{name}/circuitBreaker
  duration: checkPeriod fallbackDuration recoveryDuration
  string: expression
  int: responseCode
http/middlewares/{name}/compress
  string: defaultEncoding
  strings@2: encodings
  strings: excludedContentTypes includedContentTypes
  int: minResponseBodyBytes
http/middlewares/{name}/contentType
  bool: autoDetect
http/middlewares/{name}/digestAuth
  string: headerField realm usersFile
  bool: removeHeader
  strings: users
http/middlewares/{name}/encodedCharacters
  bool@7: allowEncodedBackSlash allowEncodedHash allowEncodedNullCharacter allowEncodedPercent
  bool@7: allowEncodedQuestionMark allowEncodedSemicolon allowEncodedSlash
http/middlewares/{name}/errors
  strings@6: errorRequestHeaders
  freemap-@7: nginxHeaders
  string: query service
  strings: status
  intmap@4: statusRewrites
http/middlewares/{name}/forwardAuth
  strings: addAuthCookiesToResponse authRequestHeaders authResponseHeaders
  string: address authResponseHeadersRegex
  string@7: authSigninURL
  bool@3: forwardBody preserveLocationHeader
  string@2: headerField
  int@3: maxBodySize
  int@6: maxResponseBodySize
  bool@4: preserveRequestMethod
  bool: trustForwardHeader
http/middlewares/{name}/forwardAuth/tls
  string: ca cert key
  bool: caOptional insecureSkipVerify
http/middlewares/{name}/grpcWeb
  strings: allowOrigins
http/middlewares/{name}/headers
  bool: accessControlAllowCredentials addVaryHeader browserXSSFilter contentTypeNosniff forceSTSHeader frameDeny
  bool: isDevelopment sslForceHost sslRedirect sslTemporaryRedirect stsIncludeSubdomains stsPreload
  strings: accessControlAllowHeaders accessControlAllowMethods accessControlAllowOriginList
  strings: accessControlAllowOriginListRegex accessControlExposeHeaders allowedHosts hostsProxyHeaders
  int: accessControlMaxAge stsSeconds
  string: contentSecurityPolicy customBrowserXSSValue customFrameOptionsValue featurePolicy permissionsPolicy
  string: publicKey referrerPolicy sslHost
  string@1: contentSecurityPolicyReportOnly
  map: customRequestHeaders customResponseHeaders sslProxyHeaders
http/middlewares/{name}/inFlightReq
  int: amount
http/middlewares/{name}/inFlightReq/sourceCriterion/ipStrategy
  int: depth
  strings: excludedIPs
  int@2: ipv6Subnet
http/middlewares/{name}/inFlightReq/sourceCriterion
  string: requestHeaderName
  bool: requestHost
http/middlewares/{name}/ipAllowList
  branch?: ipStrategy
  int?: rejectStatusCode
  strings: sourceRange
http/middlewares/{name}/ipAllowList/ipStrategy
  int: depth
  strings: excludedIPs
  int@2: ipv6Subnet
http/middlewares/{name}/ipWhiteList
  branch?: ipStrategy
  strings: sourceRange
http/middlewares/{name}/ipWhiteList/ipStrategy
  int: depth
  strings: excludedIPs
  int@2: ipv6Subnet
http/middlewares/{name}/passTLSClientCert/info/issuer
  bool: commonName country domainComponent locality organization province serialNumber
http/middlewares/{name}/passTLSClientCert/info
  bool: notAfter notBefore sans serialNumber
http/middlewares/{name}/passTLSClientCert/info/subject
  bool: commonName country domainComponent locality organization organizationalUnit province serialNumber
http/middlewares/{name}/passTLSClientCert
  bool: pem
http/middlewares/{name}/rateLimit
  int: average burst
  duration: period
http/middlewares/{name}/rateLimit/redis
  int@4: db maxActiveConns minIdleConns poolSize
  duration@4: dialTimeout readTimeout writeTimeout
  strings@4: endpoints
  string@4: password username
http/middlewares/{name}/rateLimit/redis/tls
  string@4: ca cert key
  bool@4: insecureSkipVerify
http/middlewares/{name}/rateLimit/sourceCriterion/ipStrategy
  int: depth
  strings: excludedIPs
  int@2: ipv6Subnet
http/middlewares/{name}/rateLimit/sourceCriterion
  string: requestHeaderName
  bool: requestHost
http/middlewares/{name}/redirectRegex
  bool: permanent
  string: regex replacement
  int-@7: statusCode
http/middlewares/{name}/redirectScheme
  bool-@6: forcePermanentRedirect
  bool: permanent
  string: port scheme
http/middlewares/{name}/replacePath
  string: path
http/middlewares/{name}/replacePathRegex
  string: regex replacement
http/middlewares/{name}/retry
  int: attempts
  bool@7: disableRetryOnNetworkError retryNonIdempotentMethod
  duration: initialInterval
  int@7: maxRequestBodyBytes
  strings@7: status
  duration@7: timeout
http/middlewares/{name}/stripPrefix
  bool: forceSlash
  strings: prefixes
http/middlewares/{name}/stripPrefixRegex
  strings: regex
http/models/{name}
  string-: defaultRuleSyntax
  branch-@6: deniedEncodedPathCharacters
  strings: middlewares
  branch?: tls
http/models/{name}/observability
  bool@3: accessLogs metrics tracing
  branch-@7: metadata
  string@5: traceVerbosity
http/models/{name}/tls
  string: certResolver options
  string-@6: resolvedOptions
http/models/{name}/tls/domains/{n}
  string: main
  strings: sans
http/routers/{name}
  bool: defaultRule
  branch-@6: deniedEncodedPathCharacters
  strings: entryPoints middlewares
  stringsL@6: parentRefs
  int: priority
  string: rule ruleSyntax service
  branch?: tls
http/routers/{name}/observability
  bool@3: accessLogs metrics tracing
  branch-@7: metadata
  string@5: traceVerbosity
http/routers/{name}/tls
  string: certResolver options
  string-@6: resolvedOptions
http/routers/{name}/tls/domains/{n}
  string: main
  strings: sans
http/serversTransports/{name}/certificates/{n}
  stringL: certFile keyFile
http/serversTransports/{name}
  stringsL@7: cipherSuites
  boolL: disableHTTP2 insecureSkipVerify
  intL: maxIdleConnsPerHost
  stringL@7: maxVersion minVersion
  stringL: peerCertURI serverName
  stringsL: rootCAs
http/serversTransports/{name}/forwardingTimeouts
  durationL: dialTimeout idleConnTimeout pingTimeout readIdleTimeout responseHeaderTimeout
  durationL@7: readTimeout writeTimeout
http/serversTransports/{name}/spiffe
  stringsL: ids
  stringL: trustDomain
http/services/{name}/failover/errors
  intL@7: maxRequestBodyBytes
  stringsL@7: status
http/services/{name}/failover
  stringL: fallback service
  branch!L: healthCheck
http/services/{name}/highestRandomWeight
  branch?L@6: healthCheck
http/services/{name}/highestRandomWeight/services/{n}
  stringL@6: name
  intL@6: weight
http/services/{name}/loadBalancer/healthCheck
  bool: followRedirects
  map: headers
  string: hostname method mode path scheme
  duration: interval timeout
  int: port status
  duration@5: unhealthyInterval
http/services/{name}/loadBalancer
  string-@7: nginxUpstreamHashBy
  bool: passHostHeader
  string: serversTransport
  branch?: sticky
  string@4: strategy
http/services/{name}/loadBalancer/passiveHealthCheck
  duration@6: failureWindow
  int@6: maxFailedAttempts
http/services/{name}/loadBalancer/responseForwarding
  duration: flushInterval
http/services/{name}/loadBalancer/servers/{n}
  bool-@3: fenced
  string-: port scheme
  bool@2: preservePath
  string: url
  int: weight
http/services/{name}/loadBalancer/sticky
  branch?: cookie
http/services/{name}/loadBalancer/sticky/cookie
  string@4: domain
  int-@7: expires
  bool: httpOnly secure
  int: maxAge
  string: name sameSite
  string@3: path
http/services/{name}
  strings@7: middlewares
http/services/{name}/mirroring
  branch?L: healthCheck
  intL: maxBodySize
  boolL@2: mirrorBody
  stringL: service
http/services/{name}/mirroring/mirrors/{n}
  stringL: name
  intL: percent
http/services/{name}/weighted
  branch?L: healthCheck
http/services/{name}/weighted/services/{n}/GRPCStatus
  intL@2: code
  stringL@2: msg
http/services/{name}/weighted/services/{n}
  mapL@6: headers
  stringL: name
  intL@1: status
  intL: weight
http/services/{name}/weighted/sticky
  branch?L: cookie
http/services/{name}/weighted/sticky/cookie
  stringL@4: domain
  int-L@7: expires
  boolL: httpOnly secure
  intL: maxAge
  stringL: name sameSite
  stringL@3: path
tcp/middlewares/{name}/inFlightConn
  int: amount
tcp/middlewares/{name}/ipAllowList
  strings: sourceRange
tcp/middlewares/{name}/ipWhiteList
  strings: sourceRange
tcp
  branch-: models
tcp/routers/{name}
  strings: entryPoints middlewares
  int: priority
  string: rule ruleSyntax service
  branch?: tls
tcp/routers/{name}/tls
  string: certResolver options
  bool: passthrough
tcp/routers/{name}/tls/domains/{n}
  string: main
  strings: sans
tcp/serversTransports/{name}
  durationL: dialKeepAlive dialTimeout terminationDelay
  branch?L@5: proxyProtocol
  branch?L: tls
tcp/serversTransports/{name}/proxyProtocol
  intL@5: version
tcp/serversTransports/{name}/tls/certificates/{n}
  stringL: certFile keyFile
tcp/serversTransports/{name}/tls
  boolL: insecureSkipVerify
  stringL: peerCertURI serverName
  stringsL: rootCAs
tcp/serversTransports/{name}/tls/spiffe
  stringsL: ids
  stringL: trustDomain
tcp/services/{name}/loadBalancer
  branch?@6: healthCheck
  branch?: proxyProtocol
  string: serversTransport
  int: terminationDelay
tcp/services/{name}/loadBalancer/healthCheck
  string@6: expect send
  duration@6: interval timeout unhealthyInterval
  int@6: port
tcp/services/{name}/loadBalancer/proxyProtocol
  int: version
tcp/services/{name}/loadBalancer/servers/{n}
  string: address port
  bool: tls
tcp/services/{name}/weighted
  branch?L@6: healthCheck
tcp/services/{name}/weighted/services/{n}
  stringL: name
  intL: weight
tls/certificates/{n}
  stringL: certFile keyFile
  stringsL: stores
tls/options/{name}
  stringsL: alpnProtocols cipherSuites curvePreferences
  boolL@4: disableSessionTickets
  stringL: maxVersion minVersion
  boolL: preferServerCipherSuites sniStrict
tls/options/{name}/clientAuth
  stringsL: caFiles
  stringL: clientAuthType
tls/stores/{name}/defaultCertificate
  string: certFile keyFile
tls/stores/{name}/defaultGeneratedCert/domain
  string: main
  strings: sans
tls/stores/{name}/defaultGeneratedCert
  string: resolver
udp/routers/{name}
  strings: entryPoints
  string: service
udp/services/{name}/loadBalancer/servers/{n}
  string: address port
udp/services/{name}/weighted/services/{n}
  stringL: name
  intL: weight
"""
