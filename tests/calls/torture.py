# ruff: noqa: E501  # these lines are as long as they have to be
"""Messages that are hard to read: those that RFC 4475 describes (its section and its name for each stand before it),
and bodies that are broken. Written anew from the descriptions, for this centre's numbers.

Counterpart: `test_torture.py` sends them. @HOST@ and @PORT@ are the sender's, @CENTRE@ is the centre's host and port,
@EACH@ is another word each time.
"""

from collections.abc import Mapping

LONG = "very" + "-long" * 60

_HEAD = """\
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@
Max-Forwards: 70
From: <sip:0811@@HOST@>;tag=@EACH@
To: <sip:112@@CENTRE@>
Call-ID: @EACH@
"""
SDP = """\
v=0
o=- 1 1 IN IP4 @HOST@
s=-
c=IN IP4 @HOST@
t=0 0
m=audio 27000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
"""
_CONTACT = "Contact: <sip:0811@@HOST@:@PORT@>\n"


def _with(text: str, body: str = "", *, length: str | None = None) -> str:
    """The message with its body and the length of that, as both will be sent."""
    return f"{text}Content-Length: {length or '@LENGTH@'}\n\n{body}"


def _request(line: str, rest: str = "", body: str = "", *, cseq: str = "", length: str | None = None) -> str:
    method = line.partition(" ")[0]
    return _with(f"{line}\n{_HEAD}CSeq: {cseq or f'1 {method}'}\n{_CONTACT}{rest}", body, length=length)


def _invite(rest: str = "", body: str = SDP, *, kind: str = "application/sdp", length: str | None = None) -> str:
    return _request("INVITE sip:112@@CENTRE@ SIP/2.0", f"{rest}Content-Type: {kind}\n", body, length=length)


RFC_4475: Mapping[str, str] = {
    # 3.1.1, which are as they should be
    "3.1.1.1 wsinv": _with(
        """\
INVITE sip:112@@CENTRE@;unknownparam SIP/2.0
TO :
 sip:112@@CENTRE@ ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:0811@@HOST@>
  ;
  tag = @EACH@
MaX-fOrWaRdS: 0068
Call-ID: @EACH@
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    @HOST@:@PORT@;branch=z9hG4bK@EACH@
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:@CENTRE@;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:0811@@HOST@> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""",
        SDP,
    ),
    "3.1.1.2 intmeth": _with(
        """\
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@@CENTRE@ SIP/2.0
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK-.!%66*_+`'~@EACH@
To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@@CENTRE@>
From: token1~` token2'+_ token3*%!.- <sip:mundane@@HOST@>;fromParam''~+*_!.-%="\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439";tag=_token~1'+`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"][?}{@EACH@
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb
"""
    ),
    "3.1.1.3 esc01": _request(
        "INVITE sip:sips%3Auser%40example.com@@CENTRE@ SIP/2.0", "Content-Type: application/sdp\n", SDP
    ),
    "3.1.1.4 escnull": _with(
        """\
REGISTER sip:@CENTRE@ SIP/2.0
To: sip:null-%00-null@@CENTRE@
From: sip:null-%00-null@@CENTRE@;tag=@EACH@
Max-Forwards: 70
Call-ID: @EACH@
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@
Contact: <sip:%00@@HOST@>
Contact: <sip:%00%00@@HOST@>
"""
    ),
    "3.1.1.5 esc02": _request(
        "RE%47IST%45R sip:@CENTRE@ SIP/2.0",
        'Contact: <sip:alias1@@HOST@>\nContact: "%Z%45" <sip:resource@@HOST@>\n',
        cseq="29344 RE%47IST%45R",
    ),
    "3.1.1.6 lwsdisp": _with(
        """\
OPTIONS sip:user@@CENTRE@ SIP/2.0
To: sip:user@@CENTRE@
From: caller<sip:caller@@HOST@>;tag=@EACH@
Max-Forwards: 70
Call-ID: @EACH@
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@
"""
    ),
    "3.1.1.7 longreq": _with(
        f"""\
INVITE sip:112@@CENTRE@ SIP/2.0
To: "I have a user name of {LONG} proportion"<sip:112@@CENTRE@:6000;unknownparam1={LONG}value;longparam{LONG}name=shortvalue;{LONG}ParameterNameWithNoValue>
F: sip:{LONG}@@HOST@;tag=12982424{LONG};unknownheaderparam{LONG}name=unknownheaderparam{LONG}value
Call-ID: longreq.one{LONG}callid.@EACH@
CSeq: 3882340 INVITE
Unknown-{LONG}-Name: unknown-{LONG}-value; unknown-{LONG}-parameter-name = unknown-{LONG}-parameter-value
Via: SIP/2.0/TCP sip33.example.com
v: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK{LONG}@EACH@
Max-Forwards: 70
Contact: <sip:amazing{LONG}@@HOST@:@PORT@>
Content-Type: application/sdp
""",
        SDP,
    ),
    "3.1.1.8 dblreq": _request("REGISTER sip:@CENTRE@ SIP/2.0") + _invite(),
    "3.1.1.9 semiuri": _request("OPTIONS sip:user;par=u%40example.net@@CENTRE@ SIP/2.0", "Accept: application/sdp\n"),
    "3.1.1.10 transports": _with(
        """\
OPTIONS sip:user@@CENTRE@ SIP/2.0
To: sip:user@@CENTRE@
From: <sip:caller@@HOST@>;tag=@EACH@
Max-Forwards: 70
Call-ID: @EACH@
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
"""
    ),
    "3.1.1.11 mpart01": _request(
        "MESSAGE sip:kumiko@@CENTRE@ SIP/2.0",
        "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n",
        "--7a9cbec02ceef655\nContent-Type: text/plain\nContent-Transfer-Encoding: binary\n\nHello\n"
        "--7a9cbec02ceef655\nContent-Type: application/octet-stream\n\n0\x82\x01R\x06\t*\x00\x07\x02\xa0\x82\n"
        "--7a9cbec02ceef655--\n",
    ),
    "3.1.1.12 unreason": _with(
        f"SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e\n{_HEAD}CSeq: 35 INVITE\n{_CONTACT}"
        "Content-Type: application/sdp\n",
        SDP,
    ),
    "3.1.1.13 noreason": _with(f"SIP/2.0 100 \n{_HEAD}CSeq: 35 INVITE\n{_CONTACT}"),
    # 3.1.2, which are not
    "3.1.2.1 badinv01": _with(
        """\
INVITE sip:112@@CENTRE@ SIP/2.0
To: sip:112@@CENTRE@
From: sip:0811@@HOST@;tag=@EACH@
Max-Forwards: 7
Call-ID: @EACH@
CSeq: 8 INVITE
Via: SIP/2.0/UDP @HOST@:@PORT@;;,;,,
Contact: "Joe" <sip:0811@@HOST@>;;;;
Content-Type: application/sdp
""",
        SDP,
    ),
    "3.1.2.2 clerr": _invite(length="9999"),
    "3.1.2.3 ncl": _invite(length="-999"),
    "3.1.2.4 scalar02": _with(
        """\
REGISTER sip:@CENTRE@ SIP/2.0
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@;ttl=8000000000000000000
To: <sip:user@@CENTRE@>
From: <sip:user@@CENTRE@>;tag=@EACH@
CSeq: 36893488147419103232 REGISTER
Max-Forwards: 300
Expires: 10000000000000000000000000000000000000000
Contact: <sip:user@@HOST@>;expires=280297596632815
Call-ID: @EACH@
"""
    ),
    "3.1.2.5 scalarlg": _with(
        f"SIP/2.0 503 Service Unavailable\n{_HEAD}CSeq: 9292394834772304023312 OPTIONS\n"
        'Retry-After: 949302838503028349304023988\nWarning: 1812 overture "In Progress"\n'
    ),
    "3.1.2.6 quotbal": _invite().replace("To: <", 'To: "Mr. J. User <'),
    "3.1.2.7 ltgtruri": _invite().replace("INVITE sip:112@@CENTRE@", "INVITE <sip:112@@CENTRE@>"),
    "3.1.2.8 lwsruri": _invite().replace("INVITE sip:112@@CENTRE@", "INVITE sip:112@@CENTRE@; lr"),
    "3.1.2.9 lwsstart": _invite().replace("INVITE sip:112@@CENTRE@ ", "INVITE  sip:112@@CENTRE@  "),
    "3.1.2.10 trws": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0  "),
    "3.1.2.11 escruri": _invite().replace("sip:112@@CENTRE@ ", "sip:112@@CENTRE@?Route=%3Csip:example.com%3E "),
    "3.1.2.12 baddate": _invite("Date: Fri, 01 Jan 2010 16:00:00 EST\n"),
    "3.1.2.13 regbadct": _request(
        "REGISTER sip:@CENTRE@ SIP/2.0", "Contact: sip:user@@HOST@?Route=%3Csip:sip.example.com%3E\n"
    ),
    "3.1.2.14 badaspec": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0").replace(
        "To: <sip:112@@CENTRE@>", 'To: "Watson, Thomas" < sip:t.watson@example.org >'
    ),
    "3.1.2.15 baddn": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0").replace("From: <", "From: Bell, Alexander <"),
    "3.1.2.16 badvers": _request("OPTIONS sip:112@@CENTRE@ SIP/7.0"),
    "3.1.2.17 mismatch01": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0", cseq="8 INVITE"),
    "3.1.2.18 mismatch02": _request("NEWMETHOD sip:112@@CENTRE@ SIP/2.0", cseq="8 INVITE"),
    "3.1.2.19 bigcode": _with(f"SIP/2.0 4294967301 better not break the receiver\n{_HEAD}CSeq: 353494 INVITE\n"),
    # 3.2 to 3.4: transactions, what a server needs, and older ways
    "3.2.1 badbranch": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0").replace("z9hG4bK@EACH@", "z9hG4bK"),
    "3.3.1 insuf": _with("INVITE sip:112@@CENTRE@ SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP @HOST@:@PORT@\n", SDP),
    "3.3.2 unkscm": _request("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"),
    "3.3.3 novelsc": _request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
    "3.3.4 unksm2": _request("REGISTER sip:@CENTRE@ SIP/2.0", "Contact: <name:John_Smith>\n").replace(
        "To: <sip:112@@CENTRE@>", "To: isbn:2983792873"
    ),
    "3.3.5 bext01": _request(
        "OPTIONS sip:112@@CENTRE@ SIP/2.0",
        "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\n"
        "Require: nothingSupportsThis, nothingSupportsThisEither\n",
    ),
    "3.3.6 invut": _invite(body='<audio>\n <pcmu port="443"/>\n</audio>\n', kind="application/unknownformat"),
    "3.3.7 regaut01": _request(
        "REGISTER sip:@CENTRE@ SIP/2.0", "Authorization: NoOneKnowsThisScheme opaque-data=here\n"
    ),
    "3.3.8 multi01": _with(
        """\
INVITE sip:112@@CENTRE@ SIP/2.0
CSeq: 5 INVITE
Call-ID: @EACH@
Call-ID: another@EACH@
CSeq: 59 INVITE
Content-Type: application/sdp
From: <sip:caller@@HOST@>;tag=@EACH@
Max-Forwards: 5
Max-Forwards: 70
To: <sip:112@@CENTRE@>
To: <sip:113@@CENTRE@>
From: <sip:other@@HOST@>;tag=3923
Via: SIP/2.0/UDP @HOST@:@PORT@;branch=z9hG4bK@EACH@
""",
        SDP,
    ),
    "3.3.9 mcl01": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0", "Content-Length: 13\n", "There's no way to know"),
    "3.3.10 bcast": _with(
        f"SIP/2.0 200 OK\n{_HEAD}CSeq: 8 INVITE\n{_CONTACT}Content-Type: application/sdp\n", SDP
    ).replace("UDP @HOST@:@PORT@;", "UDP 255.255.255.255;"),
    "3.3.11 zeromf": _request("OPTIONS sip:112@@CENTRE@ SIP/2.0").replace("Forwards: 70", "Forwards: 0"),
    "3.3.12 cparam01": _request(
        "REGISTER sip:@CENTRE@ SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam\n"
    ),
    "3.3.13 cparam02": _request(
        "REGISTER sip:@CENTRE@ SIP/2.0", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\n"
    ),
    "3.3.14 regescrt": _request(
        "REGISTER sip:@CENTRE@ SIP/2.0", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\n"
    ),
    "3.3.15 sdp01": _invite("Accept: text/nobodyKnowsThis\n"),
    "3.4.1 inv2543": _with(
        """\
INVITE sip:112@@CENTRE@ SIP/2.0
Via: SIP/2.0/UDP @HOST@:@PORT@
From: <sip:0811@@HOST@>
Record-Route: <sip:112@@CENTRE@;maddr=127.0.0.1>
To: sip:112@@CENTRE@
Call-ID: @EACH@
CSeq: 56 INVITE
Content-Type: application/sdp
""",
        SDP,
    ),
}

_BAD_SDP: Mapping[str, str] = {
    "empty": "",
    "not SDP": "hello, is that 112?\n",
    "no connection": SDP.replace("c=IN IP4 @HOST@\n", ""),
    "no port": SDP.replace("27000", ""),
    "port too high": SDP.replace("27000", "99999"),
    "negative port": SDP.replace("27000", "-1"),
    "port 0": SDP.replace("27000", "0"),
    "no codec": SDP.replace("RTP/AVP 8", "RTP/AVP"),
    "a thousand codecs": SDP.replace("AVP 8", "AVP " + " ".join(map(str, range(1000)))),
    "codec 300": SDP.replace("AVP 8", "AVP 300"),
    "hundreds of streams": SDP + "m=audio 27000 RTP/AVP 8\n" * 300,
    "another address family": SDP.replace("IN IP4 @HOST@", "IN IP9 zzzz"),
    "broadcast": SDP.replace("c=IN IP4 @HOST@", "c=IN IP4 255.255.255.255"),
    "a host without end": SDP.replace("c=IN IP4 @HOST@", "c=IN IP4 " + "a" * 2000),
    "a line without end": SDP + "a=" + "x" * 8000 + "\n",
    "ptime 0": SDP + "a=ptime:0\n",
    "ptime -1": SDP + "a=ptime:-1\na=maxptime:4294967296\n",
    "rate 0": SDP.replace("PCMA/8000", "PCMA/0"),
    "fmtp of nothing": SDP + "a=fmtp:\na=fmtp:8\na=rtpmap:\na=rtpmap:8\n",
    "opus fmtp": SDP.replace("AVP 8", "AVP 107") + "a=rtpmap:107 opus/48000/2\na=fmtp:107 maxplaybackrate=;;=\n",
    "amr fmtp": SDP.replace("AVP 8", "AVP 97") + "a=rtpmap:97 AMR/8000\na=fmtp:97 mode-set=9,,-1,99999999999\n",
    "crypto of nothing": SDP.replace("RTP/AVP", "RTP/SAVP") + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\n",
    "fingerprint of nothing": SDP + "a=fingerprint:sha-256 ZZ\na=setup:actpass\na=ice-ufrag:\na=candidate:x\n",
    "NULs": SDP.replace("s=-", "s=\x00\x00\x00"),
}
_PIDF = (
    '<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" '
    'xmlns:gml="http://www.opengis.net/gml" entity="pres:a"><tuple id="t"><status><gp:geopriv><gp:location-info>'
    "<gml:Point><gml:pos>-7.44 112.71</gml:pos></gml:Point></gp:location-info></gp:geopriv></status></tuple></presence>"
)
_BAD_PIDF: Mapping[str, str] = {
    "no usage-rules": _PIDF,
    "cut off": _PIDF[:200],
    "empty": "",
    "not XML": "\x00\x01<<<>>>&&&",
    "entities without end": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><presence>&c;&c;&c;</presence>',
    "a file of ours": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence>&x;</presence>',
    "deep": "<presence>" + "<a>" * 2000 + "</a>" * 2000 + "</presence>",
    "no position": _PIDF.replace("-7.44 112.71", ""),
    "no numbers": _PIDF.replace("-7.44 112.71", "${SHELL(id)} $[1+1]"),
}


def _located(pidf: str) -> str:
    body = (
        f"--b\nContent-Type: application/sdp\n\n{SDP}\n--b\nContent-Type: application/pidf+xml\nContent-ID: <l@x>\n\n"
        f"{pidf}\n--b--\n"
    )
    return _invite("Geolocation: <cid:l@x>\n", body, kind="multipart/mixed;boundary=b")


BROKEN_BODIES: Mapping[str, str] = {
    **{f"SDP: {name}": _invite(body=body) for name, body in _BAD_SDP.items()},
    **{f"location: {name}": _located(body) for name, body in _BAD_PIDF.items()},
    "multipart without a boundary": _invite(kind="multipart/mixed"),
    "multipart without an end": _invite(
        body=f"--b\nContent-Type: application/sdp\n\n{SDP}", kind="multipart/mixed;boundary=b"
    ),
    "multipart in multipart": _invite(
        body="--b\nContent-Type: multipart/mixed;boundary=b\n\n" * 200, kind="multipart/mixed;boundary=b"
    ),
    "no kind": _request("INVITE sip:112@@CENTRE@ SIP/2.0", "", SDP),
}

BROKEN_KEYS = (
    "",
    "Signal=",
    "Signal=Z\nDuration=160",
    "Signal=1\nDuration=-1",
    "Signal=1\nDuration=99999999999999999999",
    "Signal=" + "1" * 4000 + "\nDuration=160",
    "Duration=160",
    "Signal=\x00\nDuration=\x00",
    "Signal=1\n" * 500,
)
"""Bodies of SIP INFO (application/dtmf-relay)."""

BROKEN_SOUND = (
    b"",
    b"\x80",
    b"\x80\x65" + b"\x00" * 9,
    b"\x80\x65" + b"\x00" * 10,
    b"\x80\x65" + b"\x00" * 10 + b"\x01",
    b"\x80\x65" + b"\x00" * 10 + b"\xff\xff\xff\xff",
    b"\x80\x65" + b"\x00" * 10 + b"\x01\x8a\xff\xff" * 300,
    b"\xbf\x65" + b"\xff" * 10 + b"\x01\x8a\x00\xa0",
    b"\x90\x08" + b"\x00" * 10 + b"\xbe\xde\xff\xff" + b"\xff" * 40,
    b"\xa0\x08" + b"\x00" * 10 + b"\xff" * 160,
    b"\x80\xc8\xff\xff" + b"\xff" * 40,
    b"\x00" * 1400,
    b"\xff" * 1400,
)
"""RTP (RFC 3550) and telephone events (RFC 4733, type 101) that are none: cut off, with an event that is none, with
lengths and extensions that lead outside the packet."""


def packet(text: str, *, host: str, port: int, centre: str, each: str) -> bytes:
    """The message as it is sent from there."""
    head, _, body = text.partition("\n\n")
    for name, value in {"@HOST@": host, "@PORT@": str(port), "@CENTRE@": centre, "@EACH@": each}.items():
        head, body = head.replace(name, value), body.replace(name, value)
    told = body.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    return head.replace("@LENGTH@", str(len(told))).replace("\n", "\r\n").encode() + b"\r\n\r\n" + told
