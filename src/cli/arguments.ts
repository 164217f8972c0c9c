import { InvalidArgumentError } from 'commander';

export function positive(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value))
    throw new InvalidArgumentError('a number from 1 to 9999 would be right.');
  return Number(value);
}
