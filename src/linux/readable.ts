import koffi from 'koffi';

/**
 * Calls `listener` whenever `fd` has something to read (level-triggered), until the returned function is called;
 * keeps the process alive meanwhile. An exception in `listener` goes to `failed`: koffi would swallow it. An error that
 * waits at the descriptor (an interface went down) is for `listener` to take; libuv then stops to look, and is told to go on.
 */
export function onReadable(fd: number, listener: () => void, failed: (error: unknown) => void): () => void {
  // koffi's types do not have it, but the first argument is libuv's status
  const turn = (status: unknown): void => {
    try {
      listener();
    } catch (error) {
      failed(error);
    }
    if (typeof status === 'number' && status < 0 && open) handle.start(turn);
  };
  let open = true;
  const handle = koffi.node.poll(fd, turn);
  return () => {
    open = false;
    handle.close();
  };
}
