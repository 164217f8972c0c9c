import { InvalidArgumentError } from 'commander';

/** Reads a number from 1 to `most`. */
export function positive(most: number): (value: string) => number {
  return (value) => {
    if (!/^[1-9]\d*$/.test(value) || Number(value) > most)
      throw new InvalidArgumentError(`a number from 1 to ${most} would be right.`);
    return Number(value);
  };
}
