//! What visitors see: routes, JSON, pages, problems, assets.
