// The GPU: whether there is one, and whether it is to be used.

// A GPU whose output differs by more, of values in 0..1, is not used: a grey level.
const TOLERANCE = 1 / 255;

// Adapters in software compute on the processor, and slower than WebAssembly does: they
// count only where they are asked for.
export async function hasGpu({ software }) {
  try {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    return Boolean(adapter) && (software || !adapter.info?.isFallbackAdapter);
  } catch {
    return false;
  }
}

// Why not to use a GPU, from what it and the processor gave, and took, for one picture; or
// undefined. One that was asked for may be slow.
export function objection(gpu, cpu, { slow }) {
  const error = cpu.values.reduce((most, value, i) => Math.max(most, Math.abs(value - gpu.values[i])), 0);
  if (!(error <= TOLERANCE)) return `differs from the processor by ${error}`;
  if (!slow && gpu.seconds > cpu.seconds) return "is slower than the processor";
}
