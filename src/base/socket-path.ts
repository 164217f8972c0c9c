/** Octets of a socket's path that sockaddr_un has room for, beside its final zero. */
export const socketPathOctets = 107;
