/** From this part of its room on, a table needs attention. */
export const NEARLY_FULL = 0.8;

/** What is said of an empty table, by who may write into it. */
export const EMPTY: Record<string, string> = {
  owner: 'Nothing is in this table yet. Add a row here, or on a page of yours that writes into it.',
  public: 'Nothing is in this table yet. It fills as visitors write on your pages; you can also add a row here.',
  open: 'No visitor has written anything yet. What they write appears here.',
  email: 'No visitor has written anything yet. What they write appears here.',
};
