#!/usr/bin/env python3
"""A second verifier of Cordon's ledger, written from docs/reference/ledger.md alone, with Python's standard library.

    python3 tools/verify_ledger.py --journal DIR --tree DIR --key FILE [--witnesses FILE] [--checkpoint FILE]...
                                   [--infrastructure DIR --infrastructure-key FILE]
    python3 tools/verify_ledger.py --proof FILE --key FILE [--head FILE --infrastructure-key FILE] [--witnesses FILE]

Prints one JSON object: ok, and per part its codes. Exit status 0 nothing wrong was found, 1 something was. It shares no
line with the first verifier; test/system/tamper.test.ts requires that both say the same about every case.
"""
import argparse, base64, hashlib, json, os, re, struct, sys, zlib

ENTRY_MAX, BODY_MAX, WIDTH = 32 * 1024, 1024 * 1024 + 28, 256
NO_LEAF = "sha256:" + "0" * 64


# ---- Ed25519 (RFC 8032 §5.1.7), verification only -------------------------------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover(data):
    """The point that 32 bytes stand for, in extended coordinates; None for none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


BASE = recover(bytes.fromhex("58" + "66" * 31))


def ed25519(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = recover(key), recover(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ---- signed notes, checkpoints, cosignatures (C2SP) -----------------------------------------------------------------
def strict64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


# Raw bytes of a public key per algorithm of signed-note: Ed25519, witnesses' Ed25519, ML-DSA-44.
KEY_BYTES = {1: 32, 4: 32, 6: 1312}
SECOND_BYTES = 4 + 8 + 2420


def read_key(text, algorithm):
    """NAME+HASH+BASE64 as (name, hash, raw key); an error for anything else."""
    match = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)", text.strip())
    key = strict64(match[3]) if match else b""
    if len(key) != 1 + KEY_BYTES[algorithm] or key[0] != algorithm:
        raise ValueError("no verifier key")
    hashed = hashlib.sha256(match[1].encode() + b"\n" + key).digest()[:4]
    if hashed.hex() != match[2]:
        raise ValueError("no verifier key")
    return match[1], hashed, key[1:]


def read_log_key(text):
    """The Ed25519 key of a log, and behind it its ML-DSA-44 key, or None; a line each."""
    lines = text.strip().split("\n")
    second = read_key(lines[1], 6) if len(lines) == 2 else None
    first = read_key(lines[0], 1)
    if len(lines) > 2 or (second and second[0] != first[0]):
        raise ValueError("no verifier key")
    return first + (second,)


def split_note(note):
    at = note.rfind("\n\n")
    text, lines = note[: at + 1], note[at + 2 :].split("\n")
    if at < 0 or lines[-1] != "" or not text.endswith("\n") or any(ord(c) < 32 and c != "\n" for c in text):
        return None
    parsed = [re.fullmatch(r"— (\S+) ([A-Za-z0-9+/]+=*)", line) for line in lines[:-1]]
    return None if None in parsed else (text, [(m[1], strict64(m[2])) for m in parsed])


def open_checkpoint(note, key, older=False):
    """(size, root) of a head that this log signed; None otherwise, and "downgrade" where the line of its second key is gone.

    Python has no ML-DSA: that the second signature is there is all that is looked at, and whoever asks is told so.
    """
    name, hashed, raw, second = key
    split = split_note(note)
    if split is None:
        return None
    text, signatures = split
    mine = next((s for n, s in signatures if n == name and s[:4] == hashed), None)
    if mine is None or not ed25519(raw, text.encode(), mine[4:]):
        return None
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != name or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]):
        return None
    root = strict64(lines[2])
    if len(root) != 32 or int(lines[1]) >= 2**53:
        return None
    if second:
        theirs = [s for n, s in signatures if n == second[0] and s[:4] == second[1]]
        if any(len(s) != SECOND_BYTES for s in theirs) or any(n == second[0] and not s for n, s in signatures):
            return None
        if not theirs and not older:
            return "downgrade"
    return int(lines[1]), root


def cosigned_at(note, key):
    name, hashed, raw = key
    text, signatures = split_note(note)
    for other, s in signatures:
        if other != name or s[:4] != hashed or len(s) != 76:
            continue
        seconds = struct.unpack(">Q", s[4:12])[0]
        if seconds < 2**53 and ed25519(raw, f"cosignature/v1\ntime {seconds}\n{text}".encode(), s[12:]):
            return seconds
    return None


def read_policy(text):
    """C2SP tlog-policy: ({witness: key}, function from a set of names to whether they are enough)."""
    keys, rules, used, quorum = {}, {}, set(), None
    for line in text.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#") or words[0] == "log":
            continue
        if words[0] == "witness" and words[1] not in rules and words[1] != "none":
            keys[words[1]] = read_key(words[2], 4)
            rules[words[1]] = lambda names, name=words[1]: name in names
        elif words[0] == "group" and words[1] not in rules and words[1] != "none":
            members = words[3:]
            if any(m not in rules or m in used for m in members) or not members:
                raise ValueError(line)
            used.update(members)
            need = {"any": 1, "all": len(members)}.get(words[2]) or int(words[2])
            if not 1 <= need <= len(members):
                raise ValueError(line)
            own = [rules[m] for m in members]
            rules[words[1]] = lambda names, own=own, need=need: sum(rule(names) for rule in own) >= need
        elif words[0] == "quorum" and quorum is None:
            quorum = (lambda names: True) if words[1] == "none" else rules[words[1]]
        else:
            raise ValueError(line)
    if quorum is None:
        raise ValueError("no quorum")
    return keys, quorum


# ---- RFC 6962 -------------------------------------------------------------------------------------------------------
def leaf_of(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def included(leaf, index, size, path, root):
    if index >= size:
        return False
    at, last, value = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = node(step, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node(value, step)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


# ---- entries --------------------------------------------------------------------------------------------------------
def no_twice(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


MEMBERS = {"at", "data", "prev", "seal", "seq", "session", "tenant", "type", "v", "writer", "wseq"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_int(value, least):
    return type(value) is int and least <= value < 2**53


def parse_entry(data):
    try:
        entry = json.loads(data.decode("utf-8"))
    except ValueError:
        return None
    if type(entry) is not dict or set(entry) != MEMBERS or entry["v"] != "entry/1":
        return None
    if not all(type(entry[m]) is str for m in ("writer", "tenant", "type", "at", "prev")) or type(entry["data"]) is not dict:
        return None
    if not is_int(entry["wseq"], 1) or not DIGEST.fullmatch(entry["prev"]):
        return None
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", entry["at"]):
        return None
    session, seq, seal = entry["session"], entry["seq"], entry["seal"]
    if not (session is None or type(session) is str) or not (seq is None or (is_int(seq, 1) and session is not None)):
        return None
    if seal is not None and not (
        type(seal) is dict
        and set(seal) == {"digest", "bytes", "key"}
        and type(seal["digest"]) is str
        and DIGEST.fullmatch(seal["digest"])
        and is_int(seal["bytes"], 0)
        and type(seal["key"]) is str
    ):
        return None
    return entry


def canonical(value):
    """RFC 8785 over what records may hold: no floats, no unsafe integers."""
    if value is None or type(value) is bool:
        return json.dumps(value)
    if type(value) is int and abs(value) < 2**53:
        return str(value)
    if type(value) is str:
        value.encode("utf-8")
        return json.dumps(value, ensure_ascii=False)
    if type(value) is list:
        return "[" + ",".join(map(canonical, value)) + "]"
    if type(value) is dict:
        keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in keys) + "}"
    raise ValueError("not a record")


def is_canonical(data):
    try:
        return canonical(json.loads(data.decode("utf-8"), object_pairs_hook=no_twice)).encode() == data
    except ValueError:
        return False


def read_frame(data, at):
    """('frame', entry, synced, next), ('incomplete',) or ('bad',)."""
    if len(data) - at < 4:
        return ("incomplete",)
    (length,) = struct.unpack_from(">I", data, at)
    end = at + 16 + length
    if not 1 <= length <= ENTRY_MAX:
        return ("bad",)
    if end > len(data):
        return ("incomplete",)
    crc, synced = struct.unpack_from(">IQ", data, at + 4)
    if zlib.crc32(data[at + 8 : end], zlib.crc32(data[at : at + 4])) != crc or synced >= 2**53:
        return ("bad",)
    return ("frame", data[at + 16 : end], synced, end)


def segments_of(folder):
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"[0-9]{16}\.journal", n))
    return [(int(n[:16]), os.path.join(folder, n)) for n in names]


def writers_of(journals):
    if not os.path.isdir(journals):
        return []
    named = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
    return sorted(n for n in os.listdir(journals) if named.fullmatch(n) and os.path.isdir(os.path.join(journals, n)))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


# ---- parts entries and complete ---------------------------------------------------------------------------------------
def read_bodies(path, last, fail):
    sizes, data, at = {}, read(path) or b"", 0
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0] if len(data) - at >= 36 else None
        if length is not None and length > BODY_MAX:
            fail("body-frame")
            break
        if length is None or at + 36 + length > len(data):
            if not last:
                fail("body-frame")
            break
        body = data[at + 36 : at + 36 + length]
        if hashlib.sha256(body).digest() != data[at + 4 : at + 36]:
            fail("body-frame")
            break
        sizes["sha256:" + data[at + 4 : at + 36].hex()] = length
        at += 36 + length
    return sizes


class Complete:
    """Numbers without gaps, each entry chained to the one before, each effect decided before and told after."""

    def __init__(self, fail):
        self.fail, self.sessions = fail, {}

    def begin(self, writer):
        self.writer, self.wseq, self.leaf = writer, 0, NO_LEAF
        self.attempts, self.started, self.recovered = {}, set(), None

    def segment(self, first):
        if first != self.wseq + 1:
            self.fail("wseq")
            self.wseq, self.leaf = first - 1, ""

    def add(self, entry, leaf):
        if entry["wseq"] != self.wseq + 1:
            self.fail("wseq")
        if self.leaf != "" and entry["prev"] != self.leaf:
            self.fail("prev")
        if entry["session"] is not None and entry["seq"] is not None:
            own = self.sessions.setdefault(entry["session"], {}).setdefault(self.writer, [entry["seq"], entry["seq"] - 1])
            if entry["seq"] != own[1] + 1:
                self.fail("seq")
            own[1] = entry["seq"]
        self.attempt(entry)
        self.wseq, self.leaf = entry["wseq"], leaf

    def attempt(self, entry):
        kind, data = entry["type"], entry["data"]
        if kind == "recovery":
            return self.recovery(entry)
        self.check_recovered()
        name = data.get("attempt")
        if type(name) is not str:
            if kind in ("start", "outcome"):
                self.fail("attempt")
        elif kind == "decision":
            self.attempts[name] = "allowed" if data.get("outcome") == "allow" else None
        elif kind == "start":
            if self.attempts.get(name) != "allowed":
                self.fail("start")
            self.attempts[name] = "started"
            self.started.add(name)
        elif kind == "outcome":
            if self.attempts.pop(name, None) != "started":
                self.fail("outcome")
            self.started.discard(name)

    def recovery(self, entry):
        data = entry["data"]
        if self.recovered is True:
            self.check_recovered()
        if data.get("part") == 1 and (data.get("lastWseq") != entry["wseq"] - 1 or data.get("lastLeaf") != entry["prev"]):
            self.fail("recovery")
        for name in map(str, data["inDoubt"] if type(data.get("inDoubt")) is list else []):
            if name not in self.started:
                self.fail("recovery")
            self.started.discard(name)
            self.attempts.pop(name, None)
        self.recovered = data.get("part") == data.get("of")

    def check_recovered(self):
        if self.recovered is not None:
            for _ in self.started:
                self.fail("start")
            self.started.clear()
        self.recovered = None

    def finish(self):
        for ranges in self.sessions.values():
            for first, _ in ranges.values():
                if first != 1 and not any(last == first - 1 for _, last in ranges.values()):
                    self.fail("seq")


def verify_journals(journals, entries, complete):
    if not os.path.isdir(journals):
        entries("missing")
    whole = Complete(complete)
    tenant = os.path.basename(os.path.normpath(journals))
    for writer in writers_of(journals):
        whole.begin(writer)
        segments = segments_of(os.path.join(journals, writer))
        for number, (first, path) in enumerate(segments):
            last = number == len(segments) - 1
            bodies = read_bodies(path[:-8] + ".bodies", last, entries)
            data, at = read(path), 0
            whole.segment(first)
            while at < len(data):
                frame = read_frame(data, at)
                if frame[0] != "frame":
                    if frame[0] == "bad" or not last:
                        entries("frame")
                    break
                _, bytes_, synced, at = frame
                entry = parse_entry(bytes_)
                if entry is None:
                    entries("entry")
                    continue
                if not is_canonical(bytes_):
                    entries("canonical")
                for code, wrong in (
                    ("writer", entry["writer"] != writer),
                    ("tenant", entry["tenant"] != tenant),
                    ("synced", synced >= entry["wseq"]),
                    ("body", entry["seal"] is not None and bodies.get(entry["seal"]["digest"]) != entry["seal"]["bytes"]),
                ):
                    if wrong:
                        entries(code)
                whole.add(entry, "sha256:" + leaf_of(bytes_).hex())
        whole.check_recovered()
    whole.finish()


# ---- part labels: what lies in clear --------------------------------------------------------------------------------
def frames(journals, writer, types):
    """Up to the first frame that is none."""
    for _, path in segments_of(os.path.join(journals, writer)):
        data, at = read(path), 0
        while at < len(data):
            frame = read_frame(data, at)
            if frame[0] != "frame":
                return
            at = frame[3]
            yield from entries_in(frame[1], types)


def entries_in(data, types):
    entry = parse_entry(data) if any(b'"type":"' + t + b'"' in data for t in types) else None
    if entry is not None:
        yield entry


def member(value, name):
    return value.get(name) if type(value) is dict else None


def is_names(value, most):
    return type(value) is list and len(value) <= most and all(type(v) is str for v in value) and all(
        a.encode("utf-16-be") < b.encode("utf-16-be") for a, b in zip(value, value[1:])
    )


def read_levels(value):
    if type(value) is not dict or not is_int(value.get("integrity"), 0) or not is_int(value.get("confidentiality"), 0):
        return None
    if value["integrity"] > 4 or value["confidentiality"] > 3:
        return None
    readers = value.get("readers")
    return (value["integrity"], value["confidentiality"], readers) if readers == "all" or is_names(readers, 32) else None


def read_label(data):
    after = data.get("after")
    levels = read_levels(after)
    if levels is None or after.get("v") != "label/1" or not is_names(after.get("sources"), 64):
        return None
    digest = "sha256:" + hashlib.sha256(b"cordon/label/1\n" + canonical(after).encode()).hexdigest()
    return {"levels": levels, "sources": after["sources"], "digest": digest} if digest == data.get("digest") else None


def no_better(a, b):
    if a[0] > b[0] or a[1] < b[1]:
        return False
    return b[2] == "all" or (a[2] != "all" and all(reader in b[2] for reader in a[2]))


def keeps_sources(after, before):
    full, last = len(after) == 64, after[-1].encode("utf-16-be") if after else b""
    return all(s in after or (full and s.encode("utf-16-be") > last) for s in before)


class Folders:
    def __init__(self, fail):
        self.fail, self.orders, self.folders, self.life = fail, {}, {}, 0

    def add(self, entry):
        kind, data = entry["type"], entry["data"]
        if kind == "recovery" and data.get("part") == 1:
            self.life += 1
        elif kind == "session.start" and data.get("phase") == "order":
            self.order(entry, data)
        elif kind == "label" and data.get("of") == "folder":
            self.label(entry, data)

    def order(self, entry, data):
        path, start = data.get("workspace"), None
        if "start" in data:
            start = (0, 2, []) if data["start"] is None else read_levels(data["start"])
        self.orders[entry["session"]] = (start, path if data.get("mode") == "direct" else None)
        if start is None or type(path) is not str:
            return
        shown = [path] + list(data.get("readOnly") or [])
        for name, folder in self.folders.items():
            if any(s == name or s.startswith(name + "/") or name.startswith(s + "/") for s in shown):
                due = folder["before"] if entry["wseq"] - folder["wseq"] <= 3 else folder
                if due is not None and not no_better(start, due["label"]["levels"]):
                    self.fail("folder")

    def label(self, entry, data):
        path, label = data.get("folder"), read_label(data)
        if type(path) is not str or label is None:
            return self.fail("label")
        if data.get("cause") not in ("start", "gateway", "apply"):
            self.fail("cause")
        known = self.folders.get(path)
        may = [known] + ([known["before"]] if known is not None and known["life"] < self.life else [])
        named = [k for k in may if (None if k is None else k["label"]["digest"]) == data.get("before")]
        if not named:
            self.fail("before")
        elif named[0] is not None and not no_better(label["levels"], named[0]["label"]["levels"]):
            self.fail("rise")
        self.folders[path] = {"label": label, "before": known, "wseq": entry["wseq"], "life": self.life}


class Contexts:
    def __init__(self, fail):
        self.fail, self.sessions = fail, {}
        self.started, self.running, self.allowed = set(), set(), False

    def of(self, session):
        blank = {"chain": [], "at": {}, "pending": {}, "recorded": None, "recent": [], "floor": 0}
        return self.sessions.setdefault(session, blank)

    def add(self, entry):
        kind, data = entry["type"], entry["data"]
        if kind == "recovery" and data.get("part") == 1:
            self.started, self.running = set(), set()
            for session in self.sessions.values():
                session.update(recorded=None, recent=[], floor=0)
        elif kind == "decision":
            self.decision(entry, data)
        elif kind == "start":
            self.started.add(data.get("attempt"))
            if self.allowed:
                self.running.add(data.get("attempt"))
            self.allowed = False
        elif kind == "outcome":
            self.outcome(entry, data)
        elif kind == "label" and data.get("of") == "context":
            self.label(entry, data)

    def label(self, entry, data):
        label = read_label(data)
        if label is None or entry["session"] is None:
            return self.fail("label")
        session = self.of(entry["session"])
        if data.get("before") != session["recorded"]:
            self.fail("before")
        if session["chain"]:
            last = session["chain"][-1]
            if not (no_better(label["levels"], last["levels"]) and keeps_sources(label["sources"], last["sources"])):
                self.fail("rise")
        if data.get("cause") != "start" and data.get("cause") not in self.started:
            self.fail("cause")
        session["at"][label["digest"]] = len(session["chain"])
        session["chain"].append(label)
        session["recorded"] = label["digest"]
        early = session["pending"].pop(label["digest"], None)
        if early is not None:
            self.flow(early, label)

    def decision(self, entry, data):
        self.allowed = data.get("outcome") == "allow"
        ctx = member(data.get("labels"), "ctx")
        if type(ctx) is not str:
            return
        session = self.of(entry["session"])
        if not session["chain"]:
            return self.fail("start")
        last = session["chain"][-1]
        at = session["at"].get(ctx)
        if self.allowed:
            flow = data.get("flow")
            if at is None:
                integ, conf = member(flow, "ctxInteg"), member(flow, "ctxConf")
                said = (integ if type(integ) is int else 5, conf if type(conf) is int else -1)
                if said[0] <= last["levels"][0] and said[1] >= last["levels"][1]:
                    session["pending"][ctx] = data
                else:
                    self.fail("stale")
            elif ctx != last["digest"]:
                self.fail("stale")
            self.leak(session, data)
        if at is not None:
            self.flow(data, session["chain"][at])

    def leak(self, session, data):
        labels = data.get("labels")
        used, count, tick = member(labels, "leakUsed"), member(labels, "leakBytes"), member(data.get("counters"), "tick")
        if any(type(v) is not int for v in (used, count, tick)):
            return
        if used < max([session["floor"]] + [total for t, total in session["recent"] if t < tick]):
            self.fail("leak")
        session["recent"].append((tick, used + count))
        if len(session["recent"]) > 64:
            session["floor"] = max(session["floor"], session["recent"].pop(0)[1])

    def flow(self, data, label):
        flow = data.get("flow")
        integ, conf, arg_integ, arg_conf = (member(flow, n) for n in ("ctxInteg", "ctxConf", "argInteg", "argConf"))
        inbound = data.get("action") == "http.message" and arg_integ == 0 and arg_conf == 0
        same = integ == label["levels"][0] and conf == label["levels"][1]
        if not (same and (inbound or (arg_integ == integ and arg_conf == conf))):
            self.fail("flow")

    def outcome(self, entry, data):
        ran = data.get("attempt") in self.running
        self.running.discard(data.get("attempt"))
        session = self.sessions.get(entry["session"])
        if not ran or session is None or not session["chain"] or type(data.get("firstByteMs")) is not int:
            return
        levels = session["chain"][-1]["levels"]
        if levels[0] > 2 or (data.get("credentials") and levels[1] < 2):
            self.fail("unfallen")


def verify_labels(journals, fail):
    folders, contexts = Folders(fail), []
    types = (b"label", b"decision", b"start", b"outcome", b"session.start", b"recovery")
    for writer in reversed(writers_of(journals)):
        each = Contexts(fail)
        for entry in frames(journals, writer, types):
            each.add(entry)
            folders.add(entry)
        contexts.append(each)
    for each in contexts:
        for name, session in each.sessions.items():
            if not session["chain"]:
                continue
            start, writes = folders.orders.get(name, (None, None))
            if start is not None and not no_better(session["chain"][0]["levels"], start):
                fail("start")
            if writes is not None:
                folder = folders.folders.get(writes)
                if folder is None or not no_better(folder["label"]["levels"], session["chain"][-1]["levels"]):
                    fail("unstored")


# ---- part counters: breakers and rates; budgets need the policies, which are bodies -----------------------------------
OURS = ("stale-policy", "session-stopped", "slow-decision")
SINK_FAILURES = ("upstream-connect", "upstream-connect-timeout", "upstream-tls", "upstream-tls-timeout")


def counts_as_denial(data):
    code = data.get("code")
    if data.get("outcome") != "deny" or code.startswith("hold-") or code in OURS:
        return False
    return data.get("by") == "gateway" or "ceiling/core/R0-breaker" not in data.get("reasons", [])


class Denials:
    """The breaker of one session, folded anew for each question: slow, and another way than the first verifier's."""

    def __init__(self, closed):
        self.closed_before, self.denials, self.resets, self.trips, self.due = closed, [], [], {}, []
        self.seen, self.lost = [], False

    def closed(self):
        return ({} if self.resets else dict(self.closed_before)) | {w: True for w, level in self.trips.values() if level == 2}

    def state(self, way, noted):
        first = max([r for r in self.resets if r <= noted], default=0)
        tripped = (2, 0) if not self.resets and way in self.closed_before else None
        recent = []
        for at in range(first, noted):
            other, tick = self.denials[at]
            if other != way or (tripped is not None and tripped[0] == 2):
                continue
            recent = [t for t in recent if t > tick - 60_000] + [tick]
            if len(recent) >= 5:
                again = tripped is not None and tick < tripped[1] + 1_800_000
                tripped, recent = (2 if again else 1, tick), []
        return tripped

    def deny(self, way, tick):
        self.denials.append((way, tick))
        noted = len(self.denials)
        before, after = self.state(way, noted - 1), self.state(way, noted)
        if after is not None and after != before:
            self.due.append((noted, way, after[0]))

    def check(self, data):
        own, sink, noted, tick = (data["counters"][n] for n in ("own", "sink", "noted", "tick"))
        if own == 2 or sink == 2 or (1 in (own, sink) and data.get("effect") != "read"):
            return False
        if self.lost or len({way for way, _ in self.denials}) > 1024:
            return True
        least = max([n for t, n in self.seen if t < tick] + list(self.trips) + [len(self.denials) - 128, 0])
        if noted > len(self.denials) or noted < least:
            return False
        if any(n <= noted and self.trips.get(n) != (way, level) for n, way, level in self.due):
            return False
        tripped = self.state(data["action"] + " " + data["resource"], noted)
        level = 0 if tripped is None else tripped[0] if tripped[0] == 2 or tick < tripped[1] + 300_000 else 0
        return own >= level


class Gateway:
    def __init__(self, fail):
        self.fail, self.closed = fail, {}
        self.denials = {}
        self.begin()

    def begin(self):
        self.closed |= {session: each.closed() for session, each in self.denials.items()}
        self.denials, self.rates, self.sinks, self.told, self.places = {}, {}, {}, set(), {}

    def of(self, session):
        return self.denials.setdefault(session, Denials(self.closed.get(session, {})))

    def add(self, entry):
        kind, data, session = entry["type"], entry["data"], entry["session"]
        if kind == "recovery" and data.get("part") == 1:
            self.begin()
        elif kind == "decision" and type(data.get("counters")) is dict:
            self.decision(session, data)
        elif kind == "decision" and session is not None:
            self.of(session).lost = True
        elif kind == "breaker":
            self.breaker(session, data)
        elif kind == "outcome":
            self.outcome(data)

    def decision(self, session, data):
        own, tick = self.of(session), data["counters"]["tick"]
        if data.get("outcome") == "allow":
            place = data["resource"]
            self.places[data["attempt"]] = place
            closed = self.sinks.get(place, (None,))[0]
            asked = closed is not None and len(self.sinks) <= 1024 and tick < closed + 60_000
            if asked or not own.check(data):
                self.fail("breaker")
            if not self.rate(session, tick, data.get("rates", [])):
                self.fail("rate")
        if counts_as_denial(data):
            own.deny(data["action"] + " " + data["resource"], tick)
        own.seen.append((tick, data["counters"]["noted"]))
        if len(own.seen) > 256:
            own.seen = [max(own.seen[:128], key=lambda each: each[1])] + own.seen[128:]

    def rate(self, session, tick, rates):
        state = self.rates.setdefault(session, {"now": 0})
        state["now"] = now = max(state["now"], tick)
        good = True
        for text in rates:
            match = re.fullmatch(r"rate:(\d{1,15})/(\d{1,15})ms@(.+)", text)
            if match is None:
                return False
            count, window, name = int(match[1]), int(match[2]), "@" + match[3]
            step = window / count
            arrival = max(state.get(name, now), now)
            if arrival - now - (window - step) > 0.0005:
                good = False
            else:
                state[name] = arrival + step
        return good

    def breaker(self, session, data):
        act, tick = data.get("act"), data.get("tick")
        if type(tick) is not int:
            if session is not None:
                self.of(session).lost = True
        elif act in ("close", "open"):
            self.sinks[data["resource"]] = (tick if act == "close" else None, [])
            self.told.add(data["resource"])
        elif session is None:
            self.sinks, self.told = {}, set()
        else:
            own, noted = self.of(session), data.get("noted", 0)
            if act == "reset":
                own.resets.append(noted)
                own.trips = {}
                own.due = [due for due in own.due if due[0] > noted]
                return
            way = data["action"] + " " + data["resource"]
            own.trips[noted] = (way, data["level"])
            if not own.lost and not (1 <= noted <= len(own.denials) and own.denials[noted - 1][0] == way):
                self.fail("breaker")

    def outcome(self, data):
        place, tick, code = self.places.pop(data.get("attempt"), None), data.get("tick"), data.get("code")
        status = data.get("status")
        if place is None or type(tick) is not int or (code not in SINK_FAILURES and status is None):
            return
        failed = code in SINK_FAILURES or 502 <= status <= 504
        if place in self.told:
            return self.told.discard(place)
        closed, outcomes = self.sinks.get(place, (None, None))
        if closed is not None or (outcomes is None and not failed):
            return
        outcomes = ([o for o in outcomes or [] if o[0] > tick - 60_000] + [(tick, failed)])[-256:]
        failures = sum(f for _, f in outcomes)
        if len(outcomes) >= 20 and failures * 100 >= len(outcomes) * 50:
            closed, outcomes = tick, []
        self.sinks[place] = (closed, outcomes)
        if closed is not None and len(self.sinks) <= 1024:
            self.fail("breaker")


def verify_counters(journals, fail):
    for writer in writers_of(journals):
        gateway = Gateway(fail)
        for entry in frames(journals, writer, (b"decision", b"outcome", b"breaker", b"recovery")):
            gateway.add(entry)


# ---- parts tree and witnesses -----------------------------------------------------------------------------------------
def tile_path(level, index, width):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return os.path.join("tile", str(level), *groups) + (f".p/{width}" if width < WIDTH else "")


def split_bundle(data, width):
    entries, at = [], 0
    while at + 2 <= len(data):
        end = at + 2 + struct.unpack_from(">H", data, at)[0]
        if end > len(data):
            return None
        entries.append(data[at + 2 : end])
        at = end
    return entries if at == len(data) and len(entries) == width else None


def journal_entries(journals, writer):
    for _, path in segments_of(os.path.join(journals, writer)):
        data, at = read(path), 0
        while at < len(data):
            frame = read_frame(data, at)
            if frame[0] != "frame":
                break
            yield frame[1]
            at = frame[3]


class Match:
    """Every leaf is the next entry of its writer, byte for byte."""

    def __init__(self, journals, fail):
        self.fail, self.journals = fail, journals
        self.writers = {w: [journal_entries(journals, w), None, 0, False] for w in writers_of(journals)}
        for state in self.writers.values():
            state[1] = next(state[0], None)

    def add(self, data):
        for state in self.writers.values():
            if state[1] == data and not state[3]:
                state[1], state[2] = next(state[0], None), state[2] + 1
                return
        entry = parse_entry(data)
        if entry is None:
            return self.fail("entry")
        state = self.writers.setdefault(entry["writer"], [iter(()), None, 0, False])
        if not state[3]:
            state[3] = True
            self.fail("order" if entry["wseq"] != state[2] + 1 else "journal")


def verify_tree(tree, journals, key, given, fail):
    head = open_checkpoint((read(os.path.join(tree, "checkpoint")) or b"").decode("utf-8", "replace"), key)
    if type(head) is not tuple:
        return fail(head or "signature")
    size, root = head
    known, lines = [], (read(os.path.join(tree, "checkpoints.jsonl")) or b"").decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines):
        try:
            note = json.loads(line)
        except ValueError:
            note = None
        if type(note) is str:
            known.append(note)
        elif number < len(lines) - 1:
            known.append("")
    heads, older = [open_checkpoint(note, key, older=True) for note in given], True
    for note in known:
        head = open_checkpoint(note, key, older)
        older = older and type(open_checkpoint(note, key)) is not tuple
        heads.append(head)
    for each in heads:
        if type(each) is not tuple:
            fail(each or "signature")
    heads = [each for each in heads if type(each) is tuple]
    match = Match(journals, fail) if journals else None
    leaves = []
    for index in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - index * WIDTH)
        data = read(os.path.join(tree, tile_path("entries", index, width)))
        bundle = None if data is None else split_bundle(data, width)
        if bundle is None:
            return fail("bundle")
        for entry in bundle:
            if match:
                match.add(entry)
            elif parse_entry(entry) is None:
                fail("entry")
            leaves.append(leaf_of(entry))
    level, row = 0, leaves
    while row:
        for index in range((len(row) + WIDTH - 1) // WIDTH):
            hashes = row[index * WIDTH : (index + 1) * WIDTH]
            if read(os.path.join(tree, tile_path(level, index, len(hashes)))) != b"".join(hashes):
                fail("tile")
        level, row = level + 1, [root_of(row[i * WIDTH : (i + 1) * WIDTH]) for i in range(len(row) // WIDTH)]
    if root_of(leaves) != root:
        fail("root")
    for each in heads:
        if each[0] > size:
            fail("shortened")
        elif each[0] > 0 and root_of(leaves[: each[0]]) != each[1]:
            fail("fork")


def open_note(tree, name, key, fail):
    """A note of this folder and its (size, root); None, and a failure, when it is not as the key demands."""
    note = (read(os.path.join(tree, name)) or b"").decode("utf-8", "replace")
    head = open_checkpoint(note, key)
    if type(head) is tuple:
        return note, head
    fail(head or "signature")
    return None


def logged_heads(tree, under, size, log, fail):
    """(size, root) of each head of this log among the first entries of the infrastructure's tree, if they give the root."""
    heads, leaves = [], []
    for index in range((under[0] + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - index * WIDTH)
        data = read(os.path.join(tree, tile_path("entries", index, width)))
        bundle = None if data is None else split_bundle(data, width)
        if bundle is None:
            return fail("bundle")
        for data in bundle[: under[0] - len(leaves)]:
            leaves.append(leaf_of(data))
            head = logged_head(parse_entry(data))
            if head and head[0] == log:
                heads.append(head[1:])
    return heads if root_of(leaves) == under[1] else fail("root")


def logged_head(entry):
    """(log, size, root) of an entry of the type head."""
    if entry is None or entry["type"] != "head":
        return None
    log, size, root = (entry["data"].get(name) for name in ("log", "size", "root"))
    return (log, size, root) if type(log) is str and is_int(size, 0) and type(root) is str else None


def leaf_hashes(tree, size):
    hashes = []
    for index in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - index * WIDTH)
        data = read(os.path.join(tree, tile_path(0, index, width))) or b""
        if len(data) != 32 * width:
            return None
        hashes += [data[at : at + 32] for at in range(0, len(data), 32)]
    return hashes


def compare_heads(tree, head, logged, fail):
    hashes, newest = leaf_hashes(tree, head[0]), 0
    for size, root in logged:
        if size < newest:
            fail("rollback")
        newest = max(newest, size)
        if size > head[0]:
            fail("behind")
        elif hashes is None:
            fail("tile")
        elif "sha256:" + root_of(hashes[:size]).hex() != root:
            fail("fork")


def verify_heads(tree, key, infrastructure, fail):
    """Whether the tree still is what the infrastructure logged of it. Returns whether something could not be looked at."""
    folder, host_key = infrastructure
    host = open_note(folder, "checkpoint", host_key, fail)
    logged = host and logged_heads(folder, host[1], host[1][0], key[0], fail)
    own = open_note(tree, "checkpoint", key, fail)
    if logged is None or own is None:
        return False
    compare_heads(tree, own[1], logged, fail)
    return not logged


def verify_through(tree, key, policy, infrastructure, fail):
    """No witness follows this tree: what of it stands in a head of the infrastructure that they cosigned."""
    folder, host_key = infrastructure
    cosigned = open_note(folder, "cosigned", host_key, fail)
    newest = open_note(folder, "checkpoint", host_key, fail)
    own = open_note(tree, "checkpoint", key, fail)
    if cosigned is None or newest is None or own is None:
        return
    if not policy[1]({name for name, k in policy[0].items() if cosigned_at(cosigned[0], k) is not None}):
        fail("quorum")
    if cosigned[1][0] > newest[1][0]:
        return fail("shortened")
    logged = logged_heads(folder, cosigned[1], newest[1][0], key[0], fail)
    if logged == []:
        fail("quorum")
    elif logged:
        compare_heads(tree, own[1], logged, fail)


def verify_witnesses(tree, key, policy, infrastructure, fail):
    """Returns whether something could not be looked at."""
    if policy is None:
        return True
    keys, quorum = policy
    note = read(os.path.join(tree, "cosigned"))
    if note is None and infrastructure and os.path.exists(os.path.join(infrastructure[0], "cosigned")):
        verify_through(tree, key, policy, infrastructure, fail)
        return False
    if note is None:
        if quorum(set()):
            return True
        fail("quorum")
        return False
    note = note.decode("utf-8", "replace")
    cosigned = open_checkpoint(note, key)
    head = open_checkpoint((read(os.path.join(tree, "checkpoint")) or b"").decode("utf-8", "replace"), key)
    for each in (cosigned, head):
        if type(each) is not tuple:
            fail(each or "signature")
    if type(cosigned) is not tuple or type(head) is not tuple:
        return False
    if not quorum({name for name, k in keys.items() if cosigned_at(note, k) is not None}):
        fail("quorum")
    if cosigned[0] > head[0]:
        fail("shortened")
        return False
    hashes = leaf_hashes(tree, head[0])
    if hashes is None:
        fail("tile")
        return False
    if root_of(hashes[: cosigned[0]]) != cosigned[1]:
        fail("fork")
    return False


# ---- receipts -----------------------------------------------------------------------------------------------------------
DICTIONARY = (
    '"counters":{"noted":0,"own":0,"sink":0,"tick":12345678},"flow":{"argConf":2,"argInteg":0,"ctxConf":2,'
    '"ctxInteg":0},"labels":{"ctx":"sha256:","grade":1,'
    '"leakBytes":0,"leakUsed":0},"rates":["rate:30/60000ms@session/"],'
    '"address":null,"bytesIn":,"credentials":[],"digest":"sha256:","doubt":false,"firstByteMs":,"scrubbed":[],'
    '"status":200,"totalMs":,"type":"outcome"{"at":"2026-01-01T12:00:00.000Z","data":{"action":"http.request","agent":"",'
    '"attempt":"att_","attemptDigest":"sha256:","attemptSeq":1,"by":"policy","bytesOut":0,"channel":"c1","code":"allowed",'
    '"decideMicros":100,"decision":"sha256:","effect":"read","facts":"sha256:","generation":1,"intent":"sha256:",'
    '"outcome":"allow","payload":"sha256:","policy":"sha256:","reasons":["ceiling/open","session/","tenant/open"],'
    '"resource":"https://.com:443","revision":1},"prev":"sha256:","seal":{"bytes":2000,"digest":"sha256:","key":"k_ses_"},'
    '"seq":1,"session":"ses_","tenant":"local","type":"decision","v":"entry/1","writer":"gw","wseq":1}'
).encode()


def verify_proof(text, key, policy):
    """The entry that the receipt proves; None when it proves none."""
    at = text.find("\n\n")
    lines, note = text[:at].split("\n"), text[at + 2 :]
    if at < 0 or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
        return None
    index = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines[2])
    path = [strict64(line) for line in lines[3:]]
    if index is None or len(path) > 63 or any(len(step) != 32 for step in path):
        return None
    try:
        opener = zlib.decompressobj(-15, zdict=DICTIONARY)
        entry = opener.decompress(strict64(lines[1][6:]), ENTRY_MAX)
    except zlib.error:
        return None
    head = open_checkpoint(note, key)
    if not opener.eof or type(head) is not tuple or not included(leaf_of(entry), int(index[1]), head[0], path, head[1]):
        return None
    if policy is not None and not policy[1]({n for n, k in policy[0].items() if cosigned_at(note, k) is not None}):
        return None
    parsed = parse_entry(entry)
    return parsed if parsed is not None and is_canonical(entry) else None


ML_DSA = "not checked: the ML-DSA-44 signatures of the log; Python's standard library has none, the first verifier has"


def verify_proof_through(text, head, key, host_key, policy):
    """As verify_proof, where the second proof is of the entry by which the infrastructure logged the head of the first."""
    entry, logged = verify_proof(text, key, None), logged_head(verify_proof(head, host_key, policy))
    if entry is None or logged is None:
        return None
    size, root = open_checkpoint(text[text.find("\n\n") + 2 :], key)
    return entry if logged == (key[0], size, "sha256:" + root.hex()) else None


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("journal", "tree", "key", "witnesses", "proof", "head", "infrastructure", "infrastructure-key"):
        options.add_argument("--" + name)
    options.add_argument("--checkpoint", action="append", default=[])
    given = options.parse_args()
    key = read_log_key(open(given.key).read()) if given.key else None
    policy = read_policy(open(given.witnesses).read()) if given.witnesses else None
    host_key = read_log_key(open(given.infrastructure_key).read()) if given.infrastructure_key else None
    infrastructure = (given.infrastructure, host_key) if given.infrastructure else None
    if given.proof:
        with open(given.proof, newline="") as file:
            text = file.read()
        if given.head:
            with open(given.head, newline="") as file:
                entry = verify_proof_through(text, file.read(), key, host_key, policy)
        else:
            entry = verify_proof(text, key, policy)
        unchecked = [ML_DSA] if key[3] else []
        print(json.dumps({"ok": entry is not None, "open": key[3] is not None, "notes": unchecked, "entry": entry}))
        return 0 if entry is not None else 1
    parts, left = {}, []

    def part(name):
        codes = parts.setdefault(name, [])
        return codes.append

    if given.journal:
        verify_journals(given.journal, part("entries"), part("complete"))
        verify_labels(given.journal, part("labels"))
        verify_counters(given.journal, part("counters"))
    if given.tree:
        notes = [open(path, newline="").read() for path in given.checkpoint]
        verify_tree(given.tree, given.journal, key, notes, part("tree"))
        if infrastructure and verify_heads(given.tree, key, infrastructure, part("heads")):
            left.append("heads")
        if verify_witnesses(given.tree, key, policy, infrastructure, part("witnesses")):
            left.append("witnesses")
    ok = not any(parts.values())
    unchecked = [ML_DSA] if key and key[3] else []
    left += [name for name in ("tree", "heads", "witnesses") if unchecked and name in parts and name not in left]
    report = [{"part": n, "ok": not c, "open": n in left, "codes": sorted(set(c))} for n, c in parts.items()]
    print(json.dumps({"ok": ok, "notes": unchecked, "parts": report}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    sys.exit(main())
