/** What clients are told, in Kafka's words, which people search for. None tells whether a user exists. */
export const saslWords = {
  wrongPassword: "Authentication failed: Invalid username or password",
  otherAuthorizationId:
    "Authentication failed: Client requested an authorization id that is different from username",
  alreadyAuthenticated: "SaslAuthenticate request received after successful authentication",
  badCredentials: (attempt: "authentication" | "re-authentication", mechanism: string): string =>
    `Authentication failed during ${attempt} due to invalid credentials with SASL mechanism ${mechanism}`,
  otherPrincipal: (before: string, now: string): string =>
    `Cannot change principals during re-authentication from User.${before}: User.${now}`,
} as const;
