import koffi from 'koffi';

/**
 * Calls `listener` whenever `fd` has something to read (level-triggered), until the returned function is called;
 * keeps the process alive meanwhile. An exception in `listener` goes to `failed`: koffi would swallow it.
 */
export function onReadable(fd: number, listener: () => void, failed: (error: unknown) => void): () => void {
  const handle = koffi.node.poll(fd, () => {
    try {
      listener();
    } catch (error) {
      failed(error);
    }
  });
  return () => handle.close();
}
