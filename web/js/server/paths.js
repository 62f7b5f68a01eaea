// Paths of the API below the address of the page, which a proxy may publish below another path.

/** The path at which a browser finds a path of the API: `/vidp/api/v1/jobs` for `/api/v1/jobs` on a page at `/vidp/`. */
export const path = (inApi) => new URL(`.${inApi}`, document.baseURI).pathname;
