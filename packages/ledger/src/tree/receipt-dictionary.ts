/**
 * What entries have in common, for deflate (RFC 1951) to point at: with it a receipt fits 2 KiB. It is part of the format:
 * distances count from its end, so it may grow at its beginning, and older receipts are read as before; else it never
 * changes, and another one is another version of the receipt.
 */
export const receiptDictionary: Buffer = Buffer.from(
  [
    '"counters":{"noted":0,"own":0,"sink":0,"tick":12345678},"flow":{"argConf":2,"argInteg":0,"ctxConf":2,',
    '"ctxInteg":0},"labels":{"ctx":"sha256:","grade":1,',
    '"leakBytes":0,"leakUsed":0},"rates":["rate:30/60000ms@session/"],',
    '"address":null,"bytesIn":,"credentials":[],"digest":"sha256:","doubt":false,"firstByteMs":,"scrubbed":[],',
    '"status":200,"totalMs":,"type":"outcome"{"at":"2026-01-01T12:00:00.000Z","data":{"action":"http.request","agent":"",',
    '"attempt":"att_","attemptDigest":"sha256:","attemptSeq":1,"by":"policy","bytesOut":0,"channel":"c1","code":"allowed",',
    '"decideMicros":100,"decision":"sha256:","effect":"read","facts":"sha256:","generation":1,"intent":"sha256:",',
    '"outcome":"allow","payload":"sha256:","policy":"sha256:","reasons":["ceiling/open","session/","tenant/open"],',
    '"resource":"https://.com:443","revision":1},"prev":"sha256:","seal":{"bytes":2000,"digest":"sha256:","key":"k_ses_"},',
    '"seq":1,"session":"ses_","tenant":"local","type":"decision","v":"entry/1","writer":"gw","wseq":1}',
  ].join(''),
);
