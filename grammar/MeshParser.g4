// The sentences of a policy: no actions, no predicates. Layout has no meaning; the next keyword or `}` ends a
// statement. What is said here is form only; what it means, and what of it this version builds, is decided later.
parser grammar MeshParser;

options { tokenVocab = MeshLexer; }

file        : declaration* EOF ;
/// One request on its own, as `explain --send` takes it.
requestText : SEND? request EOF ;

declaration
  : space
  | mesh
  | identity
  | workload
  | service
  | endpoints
  | route
  | access
  | test
  | retryPolicy
  | limit
  | assertion
  | externFilter
  ;

// Mesh and names

space : SPACE name ;

mesh : MESH name LBRACE meshItem* RBRACE ;
meshItem
  : TRUST_DOMAIN STRING (ALIAS STRING)?   # trustDomain
  | PATHS pathMode                        # meshPaths
  | OUTSIDE (ALLOW | DENY)                # outside
  | AMPLIFICATION AT_MOST INTEGER         # amplification
  ;
pathMode : STRICT (KEEP STRING (COMMA STRING)*)? | MERGE | DECODE ;

identity : IDENTITY name EQUALS identityValue ;
identityValue
  : SPIFFE STRING                                              # spiffeIdentity
  | JWT jwtItem+ (WHERE condition)?                            # jwtIdentity
  | qualifiedName (OR qualifiedName)*                          # groupIdentity
  ;
jwtItem : ISSUER STRING | AUDIENCE STRING | JWKS STRING ;

workload : WORKLOAD name LBRACE workloadItem* RBRACE ;
workloadItem
  : CGROUP STRING             # cgroup
  | IDENTITY qualifiedName    # workloadIdentity
  | FAST_PATH (ON | OFF)      # fastPath
  ;

// Services and endpoints

service : SERVICE name LBRACE serviceItem* RBRACE ;
serviceItem
  : ADDRESS socketAddress (COMMA socketAddress)*          # serviceAddress
  | PROTOCOL protocol                                     # serviceProtocol
  | TRANSPORT transport (OR transport)?                   # serviceTransport
  | IDENTITY qualifiedName                                # serviceIdentity
  | SUBSET name WHERE labelTest (AND labelTest)*          # subset
  | BALANCE preference? balance                           # serviceBalance
  | EJECT AFTER INTEGER FAILURES FOR DURATION (AT_MOST PERCENT)?   # eject
  | AT_MOST capacity (COMMA capacity)*                    # atMost
  | PATHS pathMode                                        # servicePaths
  | endpoint                                              # serviceEndpoint
  ;
protocol   : HTTP | HTTP2 | GRPC | TCP | TLS ;
transport  : MTLS | TLS | PLAINTEXT ;
preference : PREFER (SAME_NODE | SAME_ZONE) ;
balance    : ROUND_ROBIN | RANDOM | LEAST_REQUEST | MAGLEV BY stickyKey ;
stickyKey  : (HEADER | COOKIE | QUERY) STRING | ADDRESS ;
capacity   : INTEGER (CONNECTIONS | PENDING) ;
labelTest  : name IS STRING ;

endpoints : ENDPOINTS qualifiedName LBRACE endpointsItem* RBRACE ;
endpointsItem : endpoint ;
endpoint  : ENDPOINT socketAddress (LBRACE endpointItem* RBRACE)? ;
endpointItem
  : WEIGHT INTEGER    # endpointWeight
  | name STRING       # endpointLabel
  ;
socketAddress : IPV4_PORT | IPV6_PORT ;

retryPolicy : RETRY name LBRACE retryItem* RBRACE ;
retryItem
  : ON retryCondition (COMMA retryCondition)*
  | AT_MOST INTEGER RETRIES
  | PER_TRY DURATION
  | BACKOFF DURATION RANGE DURATION
  | BUDGET PERCENT OF REQUESTS (AT_LEAST PER_TIME)?
  | METHODS (IDEMPOTENT | ANY)
  | BUFFER SIZE
  ;
retryCondition : CONNECT_FAILURE | REFUSED | RESET | TIMEOUT | STATUS INTEGER (RANGE INTEGER)? | GRPC name ;

// Routes

route : ROUTE qualifiedName requireKernel? LBRACE routeItem* RBRACE ;
routeItem
  : TIMEOUT (DURATION | NONE)                              # routeTimeout
  | PER_TRY DURATION                                       # routePerTry
  | RETRY (qualifiedName | NONE)                           # routeRetry
  | WHEN condition ARROW target ruleOptions?                   # whenRule
  | OTHERWISE ARROW target ruleOptions?                        # otherwiseRule
  ;
requireKernel : REQUIRE KERNEL ;

target
  : SPLIT (BY stickyKey)? LBRACE splitPart (COMMA splitPart)* RBRACE    # splitTarget
  | simpleTarget                                                        # otherTarget
  ;
splitPart : (PERCENT | INTEGER) simpleTarget ruleOptions? ;
simpleTarget
  : RESPOND INTEGER STRING? (TYPE STRING)?    # respond
  | REDIRECT INTEGER redirectItem*            # redirect
  | qualifiedName                             # pool
  ;
redirectItem
  : SCHEME STRING
  | HOST STRING
  | PORT INTEGER
  | PATH STRING
  | PREFIX STRING TO STRING
  ;

ruleOptions : LBRACE option* RBRACE ;
option
  : LABEL STRING                                                   # labelOption
  | TIMEOUT (DURATION | NONE)                                      # timeoutOption
  | PER_TRY DURATION                                               # perTryOption
  | RETRY (qualifiedName | NONE)                                   # retryOption
  | UPGRADE WEBSOCKET                                              # upgradeOption
  | requireKernel                                                  # requireOption
  | REWRITE rewrite                                                # rewriteOption
  | (SET | ADD) RESPONSE? HEADER STRING headerValue                # headerOption
  | REMOVE RESPONSE? HEADER STRING                                 # removeOption
  | MIRROR simpleTarget PERCENT?                                   # mirrorOption
  | FAULT (DELAY DURATION | ABORT INTEGER) PERCENT                 # faultOption
  | CORS LBRACE corsItem* RBRACE                                   # corsOption
  ;
rewrite
  : PATH LIKE STRING TO STRING
  | PATH STRING TO STRING
  | PATH TO STRING
  | HOST TO STRING
  ;
headerValue : STRING | IDENTITY | ADDRESS | CLAIM STRING+ ;
corsItem
  : (ORIGINS | METHODS | HEADERS | EXPOSE) LBRACKET literal (COMMA literal)* RBRACKET
  | CREDENTIALS
  | MAX_AGE DURATION
  ;
literal : STRING | REGEX | name ;

// Access and limits

access
  : ACCESS EVERY HTTP? SERVICE LBRACE accessRule* RBRACE     # accessEvery
  | ACCESS qualifiedName AUDIT? LBRACE accessRule* RBRACE    # accessService
  ;
accessRule : AUDIT? (ALLOW | DENY) FROM callers (WHEN condition)? ruleOptions? ;

callers
  : ANY
  | AUTHENTICATED
  | UNAUTHENTICATED
  | qualifiedName (COMMA qualifiedName)* via?
  ;
identityList : LBRACKET qualifiedName (COMMA qualifiedName)* RBRACKET ;
via          : VIA (qualifiedName | identityList) ;

limit : LIMIT name ON qualifiedName LBRACE limitItem* RBRACE ;
limitItem
  : WHEN condition
  | RATE PER_TIME BURST INTEGER
  | KEY keyPart (COMMA keyPart)*
  | SCOPE (NODE | MESH)
  ;
keyPart : IDENTITY | USER | ADDRESS | METHOD | HOST | (HEADER | COOKIE | QUERY) STRING | CLAIM STRING+ ;

// Conditions. `and` mixed with `or` needs parentheses; that is said with its own message.

condition : term ((AND | OR) term)* ;
term      : NOT* primary ;
primary   : LPAREN condition RPAREN | comparison ;
comparison
  : attribute operation                          # valueTest
  | METHOD methodOperation                       # methodTest
  | FROM (callers | NOT? IN identityList via?)   # fromTest
  | ADDRESS (IS addressRange | NOT? IN LBRACKET addressRange (COMMA addressRange)* RBRACKET)   # addressTest
  | PORT (IS INTEGER | NOT? IN LBRACKET INTEGER (COMMA INTEGER)* RBRACKET)                     # portTest
  | GRPC STRING                                  # grpcTest
  | NAME (DOT name)? operation?                  # namedTest
  ;
attribute
  : PATH
  | HOST
  | SNI
  | HEADER STRING
  | QUERY STRING
  | COOKIE STRING
  | CLAIM STRING+
  ;
operation
  : PRESENT
  | ABSENT
  | (IS | UNDER | STARTS | ENDS | CONTAINS | LIKE | HAS) STRING ignoringCase?
  | NOT? IN LBRACKET STRING (COMMA STRING)* RBRACKET ignoringCase?
  | MATCHES REGEX
  ;
ignoringCase    : IGNORING CASE ;
methodOperation : IS name | NOT? IN LBRACKET name (COMMA name)* RBRACKET ;
addressRange    : IPV4 | IPV6 | IPV4_RANGE | IPV6_RANGE ;

// Assertions, tests, filters

assertion : ASSERT STRING LBRACE claimItem* RBRACE ;
claimItem : ON (EVERY SERVICE | qualifiedName) (WHEN condition)? COLON promise ;
promise
  : ALLOWED ONLY? FROM callers
  | DENIED (FROM callers)?
  | ROUTED ONLY TO qualifiedName (COMMA qualifiedName)*
  ;

test : TEST STRING LBRACE testItem* RBRACE ;
testItem
  : SEND? request                                # sendItem
  | EXPECT expectation (COMMA expectation)*      # expectItem
  ;
request
  : CONNECT TO qualifiedName requestPart*        # connectRequest
  | NAME STRING TO qualifiedName requestPart*    # httpRequest
  ;
requestPart
  : PORT INTEGER                        # portPart
  | FROM sender                         # fromPart
  | AT (IPV4 | IPV6)                    # atPart
  | INTEGER TIMES                       # timesPart
  | WITH HEADER STRING STRING           # headerPart
  | WITH HOST STRING                    # hostPart
  | WITH SNI STRING                     # sniPart
  | WITH CLAIM STRING STRING+           # claimPart
  ;
sender
  : UNAUTHENTICATED                                    # nobody
  | SPIFFE STRING                                      # spiffeSender
  | qualifiedName via?                                 # identitySender
  ;
expectation
  : ALLOWED                                            # expectAllowed
  | DENIED                                             # expectDenied
  | LIMITED                                            # expectLimited
  | REFUSED INTEGER                                    # expectRefused
  | STATUS INTEGER                                     # expectStatus
  | ROUTE qualifiedName (OR qualifiedName)*            # expectRoute
  | RULE STRING                                        # expectRule
  | RETRIES INTEGER                                    # expectRetries
  | TIMEOUT (DURATION | NONE)                          # expectTimeout
  | TIER (KERNEL | HANDLER | CONNECT)                  # expectTier
  | PATH STRING                                        # expectPath
  | HOST STRING                                        # expectHost
  | RESPONSE? HEADER STRING (STRING | ABSENT)          # expectHeader
  | MIRROR qualifiedName                               # expectMirror
  ;

externFilter : EXTERN name FROM STRING ;

// Names. Every keyword that is not reserved is one only in its place.

qualifiedName : name (DOT name)? ;
name
  : NAME | MESH | TRUST_DOMAIN | ALIAS | PATHS | STRICT | MERGE | DECODE | KEEP | OUTSIDE | ALLOW |
  DENY | AMPLIFICATION | AT_MOST | SPACE | IDENTITY | SPIFFE | JWT | ISSUER | AUDIENCE | JWKS |
  WHERE | CLAIM | HAS | WORKLOAD | CGROUP | FAST_PATH | ON | OFF | SERVICE | ADDRESS | PROTOCOL |
  HTTP | HTTP2 | GRPC | TCP | TLS | TRANSPORT | MTLS | PLAINTEXT | SUBSET | IS | BALANCE |
  ROUND_ROBIN | RANDOM | LEAST_REQUEST | MAGLEV | BY | PREFER | SAME_NODE | SAME_ZONE | EJECT |
  AFTER | FAILURES | FOR | CONNECTIONS | PENDING | ENDPOINTS | ENDPOINT | WEIGHT | RETRY |
  CONNECT_FAILURE | REFUSED | RESET | STATUS | TIMEOUT | RETRIES | PER_TRY | BACKOFF | BUDGET | OF |
  REQUESTS | AT_LEAST | METHODS | IDEMPOTENT | BUFFER | ROUTE | WHEN | OTHERWISE | REQUIRE | KERNEL
  | PATH | UNDER | STARTS | ENDS | LIKE | MATCHES | CONTAINS | IGNORING | CASE | HEADER | QUERY |
  COOKIE | PRESENT | ABSENT | IN | METHOD | HOST | SNI | PORT | TYPE | SCHEME | PREFIX | LABEL |
  UPGRADE | WEBSOCKET | REWRITE | TO | SET | ADD | REMOVE | RESPONSE | MIRROR | FAULT | DELAY |
  ABORT | CORS | ORIGINS | HEADERS | EXPOSE | CREDENTIALS | MAX_AGE | ACCESS | AUDIT | EVERY | FROM
  | VIA | LIMIT | RATE | BURST | KEY | SCOPE | NODE | USER | ASSERT | ALLOWED | DENIED | ONLY |
  ROUTED | TEST | SEND | CONNECT | WITH | AT | TIMES | EXPECT | LIMITED | RULE | TIER | HANDLER |
  EXTERN
  ;
