{{ config(tags=['cockpit']) }}

with institutions as (
    select * from {{ ref('mart_institution') }}
),

holdings as (
    select * from {{ ref('mart_customer_holding') }}
),

final as (
    select
        institutions.parent_customer_id,
        holdings.*
    from holdings
    inner join institutions
        on
            holdings.customer_id = institutions.customer_id
            and holdings.as_of_date = institutions.as_of_date
)

-- the enforced contract names the columns
select * from final -- noqa: AM04
