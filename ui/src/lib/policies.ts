// What a table's policy lets visitors do, in a sentence.

const MAY: Record<string, string> = {
  owner: 'Read it. Only you add, change or delete.',
  public: 'Read it, and add to it. They change and delete what they added.',
  open: 'Add to it, and read, change and delete what they added. Only you read all of it.',
  email: 'Add to it with an email address in their profile, and read, change and delete what they added. Only you read all of it.',
};

/** A policy of another version lets visitors only read their own rows. */
export const mayDo = (policy: string): string => MAY[policy] ?? 'Read what they added.';
