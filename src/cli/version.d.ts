/** Put in by the build, from package.json. */
declare const PAGODA_VERSION: string
