/** The messages of docs/instant-playback.md. Pure. */

/**
 * @typedef {object} EpochHead begins a time line: what comes after it needs its init segment
 * @property {number} epoch
 * @property {string} mime
 * @property {string} codecs
 * @property {boolean} video
 * @property {number | null} frameMs
 * @property {Uint8Array} init
 */

/**
 * @typedef {object} Fragment
 * @property {number} sequence
 * @property {boolean} keyframe one may begin here
 * @property {number} receivedMs the server's time of day when its last frame came
 * @property {number} startS on the epoch's time line
 * @property {number} endS
 * @property {Uint8Array} data
 */

const EPOCH = 1;
const EPOCH_HEAD_BYTES = 8;
const FRAGMENT = 2;
const FRAGMENT_HEAD_BYTES = 32;
const KEYFRAME = 1;

/** @param {ArrayBuffer} bytes @returns {{head: EpochHead} | {fragment: Fragment} | null} */
export function readMessage(bytes) {
  const view = new DataView(bytes);
  const kind = view.getUint8(0);
  if (kind === EPOCH) {
    const end = EPOCH_HEAD_BYTES + view.getUint32(4);
    const text = new TextDecoder().decode(new Uint8Array(bytes, EPOCH_HEAD_BYTES, end - EPOCH_HEAD_BYTES));
    const { epoch, mime, codecs, video, frame_ms: frameMs } = JSON.parse(text);
    return { head: { epoch, mime, codecs, video, frameMs, init: new Uint8Array(bytes, end) } };
  }
  if (kind !== FRAGMENT) return null; // of a newer server
  return {
    fragment: {
      keyframe: (view.getUint8(1) & KEYFRAME) !== 0,
      sequence: view.getUint32(4),
      receivedMs: view.getFloat64(8),
      startS: view.getFloat64(16),
      endS: view.getFloat64(24),
      data: new Uint8Array(bytes, FRAGMENT_HEAD_BYTES),
    },
  };
}

/** @param {Uint8Array[]} pieces */
export function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
