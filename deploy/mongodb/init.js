// Makes the replica set and its users, each step only when it is not done. Run by start.sh on the first member until
// it succeeds. Passwords come from the environment: none is in a file or on a command line.

const members = process.env.MONGODB_MEMBERS.split(',');
const self = process.env.MONGODB_SELF;
const database = process.env.MONGODB_DATABASE;
const rootPassword = process.env.MONGODB_ROOT_PASSWORD;
const WAIT = 'serverSelectionTimeoutMS=5000&connectTimeoutMS=5000';

const direct = (host) => new Mongo(`mongodb://${host}/?directConnection=true&${WAIT}`);
const hello = (mongo) => mongo.getDB('admin').runCommand({ hello: 1 });
const say = (text) => console.log(`init.js: ${text}`);

// Over loopback: as long as there is no user at all, MongoDB lets this connection make the first one.
const local = direct(`127.0.0.1:${self.split(':').pop()}`);

if (!hello(local).setName) {
  // A first member that lost its volume must not make a second set beside the one that the others are in: it waits
  // until they answer, and when they know a set, they take it in again by themselves.
  const inSet = members.filter((host) => host !== self && hello(direct(host)).setName);
  if (inSet.length > 0) {
    throw new Error(`${inSet} already belong to a set and will take this member in`);
  }
  local.getDB('admin').runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: self }] } });
  say('the replica set is made');
}

// Until the set has a primary: another member, or this one when it takes writes.
const settled = ({ primary, isWritablePrimary }) => primary && (primary !== self || isWritablePrimary);
for (let i = 0; i < 60 && !settled(hello(local)); i++) {
  sleep(500);
}

const root = () => {
  const login = `root:${encodeURIComponent(rootPassword)}`;
  return new Mongo(`mongodb://${login}@${members.join(',')}/?replicaSet=rs0&authSource=admin&${WAIT}`);
};
if (hello(local).isWritablePrimary) {
  try {
    local.getDB('admin').createUser({ user: 'root', pwd: rootPassword, roles: ['root'] });
    say('the user root is made');
  } catch (error) {
    // There are users: the loopback connection has no rights any more.
    if (!/requires authentication|not authorized/.test(error.message)) {
      throw error;
    }
  }
}

const admin = root().getDB('admin');
const check = (answer) => {
  if (!answer.ok) {
    throw new Error(answer.errmsg);
  }
};

// One at a time: a majority must be able to follow each change. A member is written down before it answers, and
// begins to copy as soon as it does.
for (const host of members) {
  const config = admin.runCommand({ replSetGetConfig: 1 }).config;
  if (config.members.some((member) => member.host === host)) {
    continue;
  }
  const _id = Math.max(...config.members.map((member) => member._id)) + 1;
  config.members.push({ _id, host });
  config.version += 1;
  check(admin.runCommand({ replSetReconfig: config }));
  say(`${host} is a member now`);
  // Its vote counts at once: the next one only when this one holds the data.
  for (let i = 0; i < 240; i++) {
    const state = admin.runCommand({ replSetGetStatus: 1 }).members.find((member) => member.name === host);
    if (['PRIMARY', 'SECONDARY'].includes(state.stateStr)) {
      break;
    }
    sleep(500);
  }
}

// readWrite covers change streams. Said again at every start, so that a new password in the Secret counts.
const user = {
  pwd: process.env.MONGODB_PASSWORD,
  roles: [{ role: 'readWrite', db: database }],
};
if (admin.getUser('vidp')) {
  admin.updateUser('vidp', user);
} else {
  admin.createUser({ user: 'vidp', ...user });
  say('the user vidp is made');
}
say('done');
