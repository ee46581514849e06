-- On the same date a holding has its account, and an account's customer its profile. Only a warning: what is owned is
-- shown even where a counter forgot the account; the gates before dbt decide whether that holds the day.
{{ config(severity='warn') }}

with profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

accounts as (
    select * from {{ ref('mart_customer_account') }}
),

holdings as (
    select * from {{ ref('mart_customer_holding') }}
),

holdings_without_account as (
    select
        'holding without account' as fault,
        holdings.as_of_date
    from holdings
    left anti join accounts
        on
            holdings.as_of_date = accounts.as_of_date
            and holdings.business_line = accounts.business_line
            and holdings.account_id = accounts.account_id
),

accounts_without_profile as (
    select
        'account without profile' as fault,
        accounts.as_of_date
    from accounts
    left anti join profiles
        on
            accounts.as_of_date = profiles.as_of_date
            and accounts.customer_id = profiles.customer_id
    where accounts.customer_id is not null
),

final as (
    select * from holdings_without_account
    union all
    select * from accounts_without_profile
)

select
    fault,
    as_of_date,
    count(*) as row_count
from final
group by fault, as_of_date
