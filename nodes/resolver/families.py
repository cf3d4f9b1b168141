"""What a resolver counts beside its server and its name server, in words. It counts nothing."""

COUNTERS: dict[str, str] = {}
OTHERS = {
    "longhaul_resolver_answers_total": "Answers, by where they were known from: kept, asked of a server, or nowhere.",
    "longhaul_resolver_kept": "Answers that are kept.",
}
