// Uploads a file with tus-js-client as it is published, and prints the upload's URL.
// node tus.cjs ENDPOINT FILE '{"parallelUploads": 3}'

const fs = require('node:fs')
const tus = require('tus-js-client')

const [endpoint, path, more] = process.argv.slice(2)
const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint,
  // The connection breaks often in these tests: soon and many times.
  retryDelays: Array(200).fill(100),
  metadata: {
    filename: 'été.mp4',
    filetype: 'video/mp4',
    options: JSON.stringify({ stages: ['scale'], external_id: 'tus' }),
  },
  onError: (error) => {
    console.error(error.message)
    process.exit(1)
  },
  onSuccess: () => console.log(upload.url),
  ...JSON.parse(more),
})
upload.start()
