// Creates the replica set and its users, and skips steps that are done. start.sh runs this on the first member until it
// succeeds. Passwords are environment variables: no file and no command line has one.

const members = process.env.MONGODB_MEMBERS.split(',');
const self = process.env.MONGODB_SELF;
const database = process.env.MONGODB_DATABASE;
const rootPassword = process.env.MONGODB_ROOT_PASSWORD;
const WAIT = 'serverSelectionTimeoutMS=5000&connectTimeoutMS=5000';

const direct = (host) => new Mongo(`mongodb://${host}/?directConnection=true&${WAIT}`);
const hello = (mongo) => mongo.getDB('admin').runCommand({ hello: 1 });
const say = (text) => console.log(`init.js: ${text}`);

// Over loopback: until the first user exists, MongoDB allows this connection to create it.
const local = direct(`127.0.0.1:${self.split(':').pop()}`);

if (!hello(local).setName) {
  // A first member that lost its volume must not create a second set beside that of the others. It waits until they
  // answer; members that know a set add it again without help.
  const inSet = members.filter((host) => host !== self && hello(direct(host)).setName);
  if (inSet.length > 0) {
    throw new Error(`${inSet} already belong to a set and will take this member in`);
  }
  local.getDB('admin').runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: self }] } });
  say('the replica set is made');
}

// Waits until the set has a primary: another member, or this one when it accepts writes.
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
    // Users exist, so the loopback connection has no rights.
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

// Adds one member at a time, because a majority must acknowledge each change. A member is configured before it answers,
// and starts to copy the data as soon as it does.
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
  // Its vote counts at once, so the next member is added only when this one has the data.
  for (let i = 0; i < 240; i++) {
    const state = admin.runCommand({ replSetGetStatus: 1 }).members.find((member) => member.name === host);
    if (['PRIMARY', 'SECONDARY'].includes(state.stateStr)) {
      break;
    }
    sleep(500);
  }
}

// readWrite covers change streams. Every start sets the password, so that a new one in the Secret takes effect.
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
