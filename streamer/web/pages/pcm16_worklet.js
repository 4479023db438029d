// In the browser's audio thread: turns what the microphone gives into blocks of PCM16.

const BLOCK_FRAMES = 4096; // a twelfth of a second at 48 kHz

class Pcm16 extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK_FRAMES);
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.peak = Math.max(this.peak, Math.abs(sample));
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      if (this.filled === BLOCK_FRAMES) {
        this.port.postMessage({ pcm: this.block.buffer, peak: this.peak }, [this.block.buffer]);
        this.block = new Int16Array(BLOCK_FRAMES); // the other one is gone to whoever listens
        this.filled = this.peak = 0;
      }
    }
    return true;
  }
}

registerProcessor("pcm16", Pcm16);
