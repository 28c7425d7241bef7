export type Locale = "en" | "ko";
