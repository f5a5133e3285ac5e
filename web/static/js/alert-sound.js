/** Short sounds made by the browser itself: nothing to download, nothing to license. */

/** Notes: Hz, start in s, length in s. @type {Record<string, [number, number, number][]>} */
const SOUNDS = {
  chime: [[784, 0, 0.9], [1175, 0.12, 1.1]],
  bell: [[1319, 0, 1.6], [2637, 0, 0.7]],
  coins: [[1568, 0, 0.12], [2093, 0.08, 0.4], [2349, 0.2, 0.5]],
  fanfare: [[523, 0, 0.22], [659, 0.16, 0.22], [784, 0.32, 0.3], [1047, 0.5, 1]],
};

/** @type {AudioContext | undefined} */ let context;

/** @param {string} name @param {number} volume 0 to 100 */
export function play(name, volume) {
  const notes = SOUNDS[name];
  if (!notes || !volume) return;
  context ??= new AudioContext();
  void context.resume().catch(() => {}); // a browser outside OBS wants a click first
  const start = context.currentTime + 0.02;
  for (const [hz, after, length] of notes) {
    const tone = new OscillatorNode(context, { type: "triangle", frequency: hz });
    const gain = new GainNode(context, { gain: 0 });
    const peak = ((volume / 100) ** 2) * 0.5;
    gain.gain.setValueAtTime(0, start + after);
    gain.gain.linearRampToValueAtTime(peak, start + after + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + after + length);
    tone.connect(gain).connect(context.destination);
    tone.start(start + after);
    tone.stop(start + after + length);
  }
}
