import koffi from 'koffi';

/**
 * Calls `listener` whenever `fd` has something to read (level-triggered), until the returned function is called;
 * keeps the process alive meanwhile. An exception in `listener` goes to `failed`: koffi would swallow it.
 */
export function onReadable(fd: number, listener: () => void, failed: (error: unknown) => void): () => void {
  let closed = false;
  // koffi's types leave out the first argument of the two
  const ready = (status: unknown) => {
    try {
      listener();
    } catch (error) {
      failed(error);
    }
    // libuv stops where the descriptor has an error to tell (its interface went down); the listener's read took it away
    if (status !== 0 && !closed) handle.start(ready);
  };
  const handle = koffi.node.poll(fd, ready);
  return () => {
    closed = true;
    handle.close();
  };
}
